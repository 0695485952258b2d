#!/usr/bin/env bash
# build-base.sh [bookworm|trixie]: the root of a freshly installed Debian 12 or 13 node, made once (some
# minutes) from the machine's own Debian mirror and kept; hosts are overlays on it.
# shellcheck source=tests/deploy/hosts.sh
source "$(dirname "${BASH_SOURCE[0]}")/hosts.sh"
host_usage "[bookworm|trixie]" 0 "$@"
suite="${1:-bookworm}"
root="$hosts/roots/$suite"
[[ -d "$root" ]] && exit 0

mkdir -p "$hosts/roots"
mirror="$({ cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true; } |
  awk '(/^URIs:/ || /^deb /) && !found++ { print $2 }')"
[[ -n "$mirror" ]] || host_die "no Debian mirror in /etc/apt"
new="$root.new"
rm -rf "$new" "$new.tar"
# Manuals and locales are left out, as in cloud images; the package's own are looked at elsewhere.
mmdebstrap --quiet --variant=minbase \
  --include=systemd,systemd-sysv,dbus,udev,openssh-server,python3-minimal,python3-apt,iproute2,nftables,sudo,procps,ca-certificates,libpam-systemd,iputils-ping,curl \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt=force-unsafe-io --aptopt='Acquire::Languages "none"' "$suite" "$new.tar" "$mirror"
mkdir -p "$new"
tar --extract --preserve-permissions --file "$new.tar" --directory "$new"
rm "$new.tar"

: >"$new/etc/machine-id"
# No name server is better than one that can't be reached: look-ups fail at once.
rm -f "$new/etc/resolv.conf"
: >"$new/etc/resolv.conf"
printf '127.0.0.1 localhost\n' >"$new/etc/hosts"
ln -sf /dev/null "$new/etc/systemd/system/console-getty.service"
# Each host makes keys of its own.
rm -f "$new"/etc/ssh/ssh_host_*
mkdir -p "$new/etc/systemd/system/ssh.service.d"
printf '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n' \
  >"$new/etc/systemd/system/ssh.service.d/keys.conf"
[[ -f "$hosts/id_ed25519" ]] || ssh-keygen -q -t ed25519 -N '' -f "$hosts/id_ed25519"
install -d -m 700 "$new/root/.ssh"
cp "$hosts/id_ed25519.pub" "$new/root/.ssh/authorized_keys"
mv "$new" "$root"
