#!/usr/bin/env bash
# ./dev run [ARGUMENTS]: builds release and serves; ARGUMENTS are those of `ringcast serve`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/node.sh
source scripts/dev/lib/builds.sh

build release
exec build/release/ringcast serve "$@"
