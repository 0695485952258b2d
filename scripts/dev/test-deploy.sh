#!/usr/bin/env bash
# ./dev test-deploy [--release SUITE] [--short|SCENARIO...]: the playbooks on booted hosts of a release, this machine's
# unless --release says another. The short form is for runs that go on without it where hosts can't be booted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/steps.sh

folder=build/package scenarios=() short=""
suite="$(this_release)"
while (($#)); do
  if [[ "$1" == --release ]]; then
    (($# >= 2)) || die "--release needs a value: bookworm or trixie"
    suite="$2"
    shift 2
  elif [[ "$1" == --short ]]; then
    short=1
    shift
  else
    scenarios+=("$1")
    shift
  fi
done
[[ "$suite" == bookworm || "$suite" == trixie ]] || die "unknown release '$suite': bookworm or trixie"
[[ -z "$short" ]] || ((${#scenarios[@]} == 0)) || die "--short is a scenario of its own: leave out ${scenarios[*]}"
[[ "$suite" == "$(this_release)" ]] || folder="build/package/$suite"
ask=(tests/deploy/can-boot.sh)
! command -v sudo >/dev/null || ask=(as_root "${ask[@]}")
why="$("${ask[@]}" 2>&1)" || {
  [[ -n "$short" ]] || die "hosts can't be booted here: $why"
  say "skipped: $why"
  skipped=1
  close_tests
  exit
}
if [[ -n "$short" ]]; then
  scenarios=(short)
else
  need_groups deploy_whole
fi
need_groups deploy ansible
version="$(project_version)"
scripts/dev/package.sh --suite "$suite"
say "making the root of a fresh $suite node"
quietly "base-$suite" as_root tests/deploy/build-base.sh "$suite"
step "deploy-$suite" as_root /usr/bin/python3 tests/deploy/run.py --release "$suite" \
  --package "$folder/ringcast_${version}_amd64.deb" "${scenarios[@]}"
close_tests
