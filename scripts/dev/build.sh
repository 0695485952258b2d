#!/usr/bin/env bash
# ./dev build [TYPE]: builds build/TYPE, release unless another is named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/node.sh
source scripts/dev/lib/builds.sh

at_most 1 build "$@"
build "$@"
