#!/usr/bin/env bash
# host-exec.sh NAME COMMAND...: runs it as root in a host that is up.
# shellcheck source=tests/deploy/hosts.sh
source "$(dirname "${BASH_SOURCE[0]}")/hosts.sh"
host_usage "NAME COMMAND..." 2 "$@"
host_inside "$@"
