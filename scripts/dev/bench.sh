#!/usr/bin/env bash
# ./dev bench [NAME] [ARGUMENTS]: measures: micro, or a script of bench/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/node.sh
source scripts/dev/lib/builds.sh

build_peers() {
  need_groups peers
  need_npm_packages
  say "building bench/peers"
  quietly peers bench/peers/build.sh
}

name="${1:-micro}"
(($#)) && shift
[[ -e "bench/$name" || -e "bench/$name.py" || -e "bench/$name.sh" ]] ||
  die "no benchmark '$name': see bench/"
need_groups build bench
mkdir -p build && touch build/bench.wanted
build release
if [[ "$name" == fanout ]]; then build_peers; fi
if [[ "$name" == probes ]]; then need valgrind; fi
program="build/release/bench/$name/bench_$name"
if [[ -x "$program" ]]; then exec "$program" "$@"; fi
for script in "bench/$name" "bench/$name.sh" "bench/$name/run.sh"; do
  if [[ -f "$script" && -x "$script" ]]; then exec "$script" "$@"; fi
done
if [[ -f "bench/$name.py" ]]; then exec python3 "bench/$name.py" "$@"; fi
die "no benchmark '$name': see bench/"
