#!/usr/bin/env bash
# ./dev flame [ARGUMENTS]: profiles a server under load into build/flame.svg.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/node.sh
source scripts/dev/lib/builds.sh

need_groups flame
build release
exec scripts/flame.py build/release/ringcast build/flame.svg "$@"
