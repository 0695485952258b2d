#!/usr/bin/env bash
# can-boot.sh: whether hosts can be booted on this machine; says what is missing otherwise, and ends with 77.
set -euo pipefail

missing() {
  printf '%s\n' "$*"
  exit 77
}

((EUID == 0)) || missing "booting hosts needs root"
said="$(unshare --mount --net --propagation private true 2>&1)" || missing "no namespaces can be made here: $said"
folder="${RINGCAST_HOSTS:-/var/tmp/ringcast-hosts}/can-boot"
mkdir -p "$folder"/{lower,upper,work,root}
trap 'rm -rf "$folder"' EXIT
said="$(unshare --mount --propagation private mount -t overlay overlay \
  -o "lowerdir=$folder/lower,upperdir=$folder/upper,workdir=$folder/work" "$folder/root" 2>&1)" ||
  missing "no overlay can be mounted on $folder: $said"
place=/sys/fs/cgroup
[[ ! -d "$place/unified" ]] || place="$place/unified"
[[ -f "$place/cgroup.procs" ]] || missing "there is no cgroup v2 in $place"
mkdir "$place/ringcast-can-boot" 2>/dev/null || missing "no control group can be made in $place"
rmdir "$place/ringcast-can-boot"
