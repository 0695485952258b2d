#!/usr/bin/env bash
# ./dev test-kernels [--record]: the contract and a crowd on the kernels that users run.
# Only what goes into the guests is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/node.sh
source scripts/dev/lib/builds.sh

need_groups build test kernels
configure debug -Dbuildtype=debug -Doptimization=g -Dtests=enabled
compile debug ringcast tests/kernel/test_contract_ring tests/kernel/test_contract_direct \
  tests/kernel/zero_copy_probe tests/uring/test_uring
tests/kernel/boot/run.py --build build/debug "$@"
