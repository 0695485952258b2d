#!/usr/bin/env bash
# host-private.sh NAME ADDRESS/BITS: a second interface, private0, for a host that is up, in a network that only
# hosts are in: this machine has no address there, as it has none in the private network of a provider.
# shellcheck source=tests/deploy/hosts.sh
source "$(dirname "${BASH_SOURCE[0]}")/hosts.sh"
host_usage "NAME ADDRESS/BITS" 2 "$@"
name="$1" address="$2"
exec 9>"$hosts/fabric.lock"
flock 9
if ! ip -n "$fabric" link show private >/dev/null 2>&1; then
  ip -n "$fabric" link add private type bridge
  ip -n "$fabric" link set private up
fi
exec 9>&-
ip -n "$fabric" link add "p-$name" type veth peer name private0 address "$(host_mac "$address")" netns "$name"
ip -n "$fabric" link set "p-$name" master private up
ip -n "$name" address add "$address" dev private0
ip -n "$name" link set private0 up
