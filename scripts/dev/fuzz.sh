#!/usr/bin/env bash
# ./dev fuzz [SECONDS]: runs every fuzz target for so long.
# What is found grows in build/; the corpus that is kept in the repository is only read.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/node.sh
source scripts/dev/lib/builds.sh
source scripts/dev/lib/steps.sh

at_most 1 fuzz "$@"

fuzz_one() {
  local target="$1" seconds="$2" name
  name="$(basename "$target")"
  local found="build/fuzz/corpus/$name" seeds="tests/fuzz/corpus/${name#fuzz_}"
  mkdir -p "$found"
  "build/asan/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
    -verbosity=0 -artifact_prefix="build/fuzz/$name-" "$found" "$seeds"
}

# Both readers of replicated frames and the encoder, from another seed each time; a failure names its own.
fuzz_replication_streams() {
  RINGCAST_REPLICATION_SEED="$(date +%s)" RINGCAST_REPLICATION_SECONDS="$1" scripts/npm_test.py web test:replication
}

seconds="${1:-20}"
[[ "$seconds" =~ ^[1-9][0-9]*$ ]] || die "not a number of seconds: '$seconds'"
build asan
mapfile -t fuzz_targets < <(targets asan 'tests/fuzz/fuzz_[a-z_]+')
for target in "${fuzz_targets[@]}"; do
  step "$(basename "$target")" fuzz_one "$target" "$seconds"
done
need_npm_packages
need_replication_streams
step replication_streams fuzz_replication_streams "$seconds"
close_tests
