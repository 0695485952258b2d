# bash completion of ringcast(1). Flags are those that the program's own --help names, so that they
# are right whatever version is installed.
# shellcheck shell=bash

# _ringcast_said COMMAND...: what a short-lived ringcast prints, or nothing.
_ringcast_said() { "$@" 2>/dev/null </dev/null; }

_ringcast() {
  local program="${COMP_WORDS[0]/#\~/$HOME}" current="${COMP_WORDS[COMP_CWORD]}"
  local previous="${COMP_WORDS[COMP_CWORD - 1]}" verb="" word words=""
  COMPREPLY=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ "$word" != -* ]]; then
      verb="$word"
      break
    fi
  done

  # bash takes --flag=value apart at the =.
  if [[ "$current" == "=" ]]; then
    current=""
  elif [[ "$previous" == "=" ]] && ((COMP_CWORD > 1)); then
    previous="${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  # The second of two files.
  if ((COMP_CWORD > 2)) && [[ "${COMP_WORDS[COMP_CWORD - 2]}" == --check-reload ]]; then previous=--check-reload; fi
  case "$previous" in
    --config | --check-reload)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -X '!*.toml' -- "$current"; compgen -d -- "$current")
      return
      ;;
    --token-file | --key)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --admin) words="127.0.0.1:9001 off" && [[ "$verb" == serve ]] || words="127.0.0.1:9001" ;;
    --listen) words="127.0.0.1:9000 0.0.0.0:9000" ;;
    --cores) words="all" ;;
    --pid) words="$(_ringcast_said pidof ringcast)" ;;
    --room | --kid | --subject | --issuer | --audience | --claims | --url | --from | --clients | --seconds | --settle | --*-per-s | --slow | --slow-after | --slow-for | --slow-rcvbuf) return ;;
  esac
  if [[ -z "$words" ]]; then
    if [[ -z "$verb" ]]; then
      words="$(_ringcast_said "$program" --help | awk '
        tolower($1) == "subcommands:" { verbs = 1; next }
        verbs && /^  [a-z]/ { print $1 }')"
    elif [[ "$verb" == trace && "$current" != -* ]]; then
      words="list $(_ringcast_said "$program" trace list | awk '{ print $1 }')"
    fi
    if [[ "$current" == -* ]]; then
      # shellcheck disable=SC2086 # no verb yet: no argument
      words="$(_ringcast_said "$program" $verb --help | awk '
        /^ +-/ { for (i = 1; $i ~ /^-/; i++) { gsub(",", " ", $i); print $i } }')"
    fi
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _ringcast ringcast
