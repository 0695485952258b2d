#!/usr/bin/env bash
# host-down.sh NAME: shuts a host down and removes it, its disk and its place in the network.
# shellcheck source=tests/deploy/hosts.sh
source "$(dirname "${BASH_SOURCE[0]}")/hosts.sh"
host_usage "NAME" 1 "$@"
name="$1" home="$hosts/hosts/$1"
[[ -d "$home" ]] || exit 0

# gone PID: it has ended within 15 s.
gone() {
  local tries
  for ((tries = 0; tries < 150; tries++)); do
    [[ -d "/proc/$1" && "$(awk '{ print $3 }' "/proc/$1/stat" 2>/dev/null)" != Z ]] || return 0
    sleep 0.1
  done
  return 1
}

if [[ -s "$home/nspawn.pid" ]]; then
  nspawn="$(<"$home/nspawn.pid")"
  if leader="$(host_leader "$name")"; then
    # Halt, as systemd(1) calls it.
    kill -RTMIN+3 "$leader" || true
    gone "$nspawn" || kill -KILL "$leader" || true
  fi
  gone "$nspawn" || kill -KILL "$nspawn" || true
fi
while mountpoint -q "$home/root" && umount "$home/root"; do :; done
# The kernel takes down a namespace behind our back: until then the next host of this name would find its links.
for link in "v-$name" "p-$name"; do ip -n "$fabric" link delete "$link" 2>/dev/null || true; done
ip netns delete "$name" 2>/dev/null || true
for place in /sys/fs/cgroup/unified /sys/fs/cgroup; do
  if [[ -d "$place/ringcast-$name" ]]; then
    find "$place/ringcast-$name" -depth -type d -exec rmdir {} + 2>/dev/null || true
  fi
done
! mountpoint -q "$home/root" || host_die "$home/root is still in use"
rm -rf "$home"
