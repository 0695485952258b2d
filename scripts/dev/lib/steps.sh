# Steps that are counted: each runs to its end, and the sum is the last line. Needs common.sh.
# shellcheck shell=bash

passed=0 failed=0 skipped=0

# step NAME COMMAND...: runs it with its output on the terminal and in a log, and adds what its
# closing line counts. A command that fails without having counted a failure counts as one.
step() {
  local name="$1" status=0 line
  local log="build/logs/step-$name.log"
  shift
  mkdir -p build/logs
  say "== $name"
  "$@" 2>&1 | tee "$log" || status=$?
  line="$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)" || true
  if [[ "$line" =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    ((passed += BASH_REMATCH[1], failed += BASH_REMATCH[2], skipped += BASH_REMATCH[3])) || true
    if ((status != 0 && BASH_REMATCH[2] == 0)); then ((failed += 1)); fi
  elif ((status != 0)); then
    ((failed += 1))
  else
    ((passed += 1))
  fi
  ((status == 0)) || say "== $name failed"
}

close_tests() {
  printf '%s\n' "$passed passed, $failed failed, $skipped skipped"
  ((failed == 0))
}
