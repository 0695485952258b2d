#!/usr/bin/env bash
# ./dev play PLAYBOOK [ARGUMENTS]: runs a playbook of ansible/ with what it needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh

playbooks() { (cd ansible && printf '%s\n' *.yml | grep -v '^requirements' | paste -sd ' '); }

(($#)) || die "which playbook? one of: $(playbooks)"
[[ -f "ansible/$1" ]] || die "there is no playbook '$1'; one of: $(playbooks)"
need_groups ansible
need openssh-client
command -v sops >/dev/null || say "sops is not installed: secrets can't be read (https://github.com/getsops/sops/releases)"
cd ansible
exec ansible-playbook "$@"
