#!/usr/bin/env bash
# ./dev test [PART]: proves that it works. Each part is a step of its own, and the sum is the last line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/node.sh
source scripts/dev/lib/builds.sh
source scripts/dev/lib/steps.sh

at_most 1 test "$@"

fetch_promtool() (
  set -e
  cd build/tools
  apt-get download prometheus || { apt_update && apt-get download prometheus; }
  dpkg-deb --extract prometheus_*.deb .
  rm prometheus_*.deb
)
# Prometheus's own checker, unpacked beside the build: installing the package would start a server.
need_promtool() {
  [[ -x build/tools/usr/bin/promtool ]] && return 0
  say "fetching promtool"
  mkdir -p build/tools
  quietly promtool fetch_promtool
}

# Every test program of a build. Sanitized programs are slower: their time limits are longer.
meson_tests() {
  local type="$1" multiplier="${2:-1}"
  build "$type"
  run_built "$type" scripts/meson_test.py "build/$type" --timeout-multiplier "$multiplier"
}

integration() {
  local type="$1"
  shift
  build "$type"
  need_groups integration
  need_promtool
  need_npm_packages
  run_built "$type" /usr/bin/python3 tests/integration/run.py --build "build/$type" "$@"
}

# The bpftrace scripts against a running server.
trace_tests() {
  build release
  need_groups trace
  /usr/bin/python3 tests/trace/scripts_test.py build/release/ringcast
}

web_tests() {
  need_npm_packages
  need_replication_streams
  scripts/npm_test.py web
}

run_steps() {
  local name
  for name in "$@"; do
    case "$name" in
      unit) step unit meson_tests debug ;;
      integration) step integration integration release ;;
      trace) step trace trace_tests ;;
      web) step web web_tests ;;
      asan) step asan-unit meson_tests asan 5 ;;
      tsan) step tsan-unit meson_tests tsan 8 ;;
      sanitizers) run_steps asan tsan ;;
      sanitized-integration)
        step asan-integration integration asan --quick
        step tsan-integration integration tsan --quick
        ;;
    esac
  done
}

what="${1:-all}"
case "$what" in
  all) run_steps unit integration trace web ;;
  unit | integration | trace | web | asan | tsan | sanitizers | sanitized-integration) run_steps "$what" ;;
  *) die "unknown tests '$what': unit, integration, trace, web, asan, tsan, sanitizers or sanitized-integration" ;;
esac
close_tests
