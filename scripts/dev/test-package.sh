#!/usr/bin/env bash
# ./dev test-package [SUITE]: the package of SUITE (this machine's release, or bookworm or trixie) from install to
# purge, on a booted host.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/steps.sh

at_most 1 test-package "$@"
suite="${1:-}" folder=build/package
suite="${suite:-$(this_release)}"
[[ "$suite" == "$(this_release)" ]] || folder="build/package/$suite"
need_groups deploy
version="$(project_version)"
scripts/dev/package.sh --suite "$suite"
scripts/dev/package.sh --suite "$suite" --version "$version+next"
say "making the root of a fresh $suite node"
quietly "base-$suite" as_root tests/deploy/build-base.sh "$suite"
step "package-$suite" as_root /usr/bin/python3 tests/deploy/package_test.py "$suite" \
  "$folder/ringcast_${version}_amd64.deb" "$folder/ringcast_${version}+next_amd64.deb"
close_tests
