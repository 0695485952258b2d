# Sourced by every verb: how it speaks, and how it runs what somebody would rather not read.
# Works in the root of the tree; logs of steps that run quietly are in build/logs.
# shellcheck shell=bash

say() { printf '%s\n' "dev: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# Nothing is more surprising than an argument that was passed over: at_most COUNT VERB ARGUMENT...
at_most() {
  local count="$1" verb="$2"
  shift 2
  (($# <= count)) || die "too many arguments for '$verb': $*"
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Somebody looks at a terminal; a log of CI is for later.
watched() { [[ -t 2 && -z "${CI:-}" ]]; }

# Shows on one line of the terminal, again and again, for how long this shell's command runs and the last that
# it wrote to LOG, such as ninja's [17/118]. Ends with the shell: an interrupt reaches that alone.
show_progress() {
  local log="$1" began=$SECONDS line columns
  columns="$(tput cols 2>/dev/null || echo 80)"
  while sleep 0.5 && kill -0 "$$" 2>/dev/null; do
    line="$(tail -c 2000 "$log" 2>/dev/null | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1)" || true
    line="  $((SECONDS - began)) s  ${line//[^[:print:]]/}"
    printf '\r\033[K%s' "${line:0:columns-1}" >&2
  done
}

# quietly LOG COMMAND...: the command's output goes to build/logs/LOG.log, its end is shown on failure.
quietly() {
  local log="build/logs/$1.log" status=0 progress=""
  shift
  mkdir -p build/logs
  : >"$log"
  if watched; then
    show_progress "$log" &
    progress=$!
  fi
  "$@" >"$log" 2>&1 || status=$?
  if [[ -n "$progress" ]]; then
    kill "$progress" 2>/dev/null || true
    wait "$progress" 2>/dev/null || true
    printf '\r\033[K' >&2
  fi
  ((status == 0)) && return 0
  tail -n 25 "$log" >&2
  die "failed: $* (all of it: $log)"
}

# Runs COMMAND unless STAMP says that it last succeeded with the same input files.
when_changed() {
  local stamp="$1" inputs="$2" now
  shift 2
  now="$(eval "$inputs" | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum)"
  [[ -f "$stamp" && "$(<"$stamp")" == "$now" ]] && return 0
  "$@"
  mkdir -p "$(dirname "$stamp")"
  printf '%s\n' "$now" >"$stamp"
}

# bookworm or trixie.
# shellcheck source=/dev/null
this_release() { (source /etc/os-release && printf '%s' "$VERSION_CODENAME"); }

project_version() { sed -nE "s/^  version: '(.*)',$/\1/p" meson.build; }
