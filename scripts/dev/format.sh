#!/usr/bin/env bash
# ./dev format: rewrites the sources as clang-format would.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/sources.sh

at_most 0 format "$@"
need_groups format
cpp_files | xargs -d '\n' clang-format-19 -i
