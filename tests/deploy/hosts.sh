# shellcheck shell=bash
# What the host scripts share; sourced. A host is a real systemd as PID 1 in a container, on an overlay over
# the root of a Debian release, with an address in a network of its own that only such hosts are in
# (namespace ringcast-fabric, 10.77.0.1/24 on a bridge). Nothing is added to the machine's own network.
# It takes root.
set -euo pipefail

# shellcheck disable=SC2034 # for those who source this
hosts="${RINGCAST_HOSTS:-/var/tmp/ringcast-hosts}"
# shellcheck disable=SC2034
fabric="${RINGCAST_FABRIC:-ringcast-fabric}"
# shellcheck disable=SC2034
bridge=fabric0
# shellcheck disable=SC2034
gateway=10.77.0.1/24

host_die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# host_usage TEXT COUNT ARGUMENT...: at least so many arguments, and root.
host_usage() {
  local text="$1" least="$2"
  shift 2
  (($# >= least)) || host_die "usage: ${0##*/} $text"
  ((EUID == 0)) || host_die "needs root: it mounts, and makes network namespaces"
}

# The first process of a booted host, as this machine sees it: the child of systemd-nspawn that is
# process 1 to itself.
host_leader() {
  local nspawn child children=()
  nspawn="$(cat "$hosts/hosts/$1/nspawn.pid" 2>/dev/null)" && [[ -d "/proc/$nspawn" ]] || return 1
  read -r -a children <"/proc/$nspawn/task/$nspawn/children" || true
  for child in "${children[@]}"; do
    if awk '/^NSpid:/ { found = NF > 2 && $NF == 1 } END { exit !found }' "/proc/$child/status" 2>/dev/null; then
      printf '%s\n' "$child"
      return 0
    fi
  done
  return 1
}

# host_inside NAME COMMAND...
host_inside() {
  local name="$1" leader
  shift
  leader="$(host_leader "$name")" || host_die "$name is not up"
  nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wd env -i \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb HOME=/root LANG=C.UTF-8 "$@"
}

# host_mac ADDRESS/BITS: the same for a host that takes the place of another, since neighbours remember for half a minute
# who had an address.
host_mac() {
  local address="${1%/*}"
  # shellcheck disable=SC2086 # four numbers
  printf '02:00:%02x:%02x:%02x:%02x\n' ${address//./ }
}
