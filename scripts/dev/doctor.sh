#!/usr/bin/env bash
# ./dev doctor [ARGUMENTS]: what this machine's kernel offers a server, and what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/node.sh
source scripts/dev/lib/builds.sh

build release
exec build/release/ringcast doctor "$@"
