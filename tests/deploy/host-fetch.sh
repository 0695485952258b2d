#!/usr/bin/env bash
# host-fetch.sh NAME PACKAGE|FILE...: fetches packages, and what they depend on, through the machine's network
# into the host's cache of packages, where apt-get install finds them. Hosts reach no mirror.
# shellcheck source=tests/deploy/hosts.sh
source "$(dirname "${BASH_SOURCE[0]}")/hosts.sh"
host_usage "NAME PACKAGE|FILE..." 2 "$@"
name="$1"
shift
root="$hosts/hosts/$name/root"
mountpoint -q "$root" || host_die "$name is not up"
# The host's files, the machine's network and name server, for as long as this takes.
# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount --propagation private bash -c '
  set -e
  root="$1"
  shift
  mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
  chroot "$root" apt-get update -q
  chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --download-only --no-install-recommends "$@"
' - "$root" "$@" >"$hosts/hosts/$name/fetch.log" 2>&1 || {
  tail -n 10 "$hosts/hosts/$name/fetch.log" >&2
  host_die "could not fetch for $name: $*"
}
