#!/usr/bin/env bash
# host-up.sh NAME ADDRESS/BITS [bookworm|trixie]: boots a host and waits until it is up (a second).
# Its own folder is $RINGCAST_HOSTS/hosts/NAME; `host-down.sh NAME` removes it.
# shellcheck source=tests/deploy/hosts.sh
source "$(dirname "${BASH_SOURCE[0]}")/hosts.sh"
host_usage "NAME ADDRESS/BITS [bookworm|trixie]" 2 "$@"
name="$1" address="$2" suite="${3:-bookworm}"
home="$hosts/hosts/$name"
((${#name} <= 13)) || host_die "$name is too long for an interface's name: at most 13 characters"
[[ -d "$hosts/roots/$suite" ]] || host_die "no root of $suite: build-base.sh $suite makes it"
[[ ! -e "$home/nspawn.pid" ]] || host_die "$name is there already: host-down.sh $name removes it"
mkdir -p "$home"/{upper,work,root}

network() {
  exec 9>"$hosts/fabric.lock"
  flock 9
  if ! ip netns list | grep -qw "$fabric"; then
    ip netns add "$fabric"
    ip -n "$fabric" link set lo up
    ip -n "$fabric" link add "$bridge" type bridge
    ip -n "$fabric" address add "$gateway" dev "$bridge"
    ip -n "$fabric" link set "$bridge" up
  fi
  exec 9>&-
  ip netns add "$name"
  ip -n "$name" link set lo up
  ip -n "$fabric" link add "v-$name" type veth peer name host0 address "$(host_mac "$address")" netns "$name"
  ip -n "$fabric" link set "v-$name" master "$bridge" up
  ip -n "$name" address add "$address" dev host0
  ip -n "$name" link set host0 up
  ip -n "$name" route add default via "${gateway%/*}"
}

network
mount -t overlay overlay -o "lowerdir=$hosts/roots/$suite,upperdir=$home/upper,workdir=$home/work" "$home/root"
: >"$home/root/etc/machine-id"
printf '%s\n' "$name" >"$home/root/etc/hostname"

# In a mount namespace, since a machine with both generations of cgroups must show the container one.
# shellcheck disable=SC2016 # expanded by the inner shell
setsid unshare --mount --propagation private bash -c '
  set -e
  if [[ -d /sys/fs/cgroup/unified ]]; then mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup; fi
  mkdir -p "/sys/fs/cgroup/ringcast-$1"
  echo $$ >"/sys/fs/cgroup/ringcast-$1/cgroup.procs"
  export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
  exec systemd-nspawn --quiet --directory="$2/root" --boot --register=no --keep-unit --machine="$1" \
    --hostname="$1" --network-namespace-path="/run/netns/$1" --resolv-conf=off --timezone=off \
    --link-journal=no --console=pipe \
    --capability=CAP_NET_ADMIN,CAP_BPF,CAP_PERFMON,CAP_IPC_LOCK --system-call-filter="bpf perf_event_open io_uring_setup io_uring_enter io_uring_register"
' - "$name" "$home" </dev/null >"$home/console.log" 2>&1 &
echo $! >"$home/nspawn.pid"

state=""
for ((tries = 0; tries < 300; tries++)); do
  if host_leader "$name" >/dev/null; then
    state="$(host_inside "$name" systemctl is-system-running 2>/dev/null)" || true
    case "$state" in
      running) exit 0 ;;
      degraded)
        host_inside "$name" systemctl --failed --no-legend --plain >&2
        exit 0
        ;;
    esac
  fi
  kill -0 "$(<"$home/nspawn.pid")" 2>/dev/null || break
  sleep 0.1
done
tail -n 20 "$home/console.log" >&2
host_die "$name did not come up${state:+ (it is $state)}"
