# Debian packages: which ones a task needs, by groups, and how those that are missing come here.
# shellcheck shell=bash

declare -A package_groups=(
  [build]="meson ninja-build pkg-config g++ python3 liburing-dev libwslay-dev libprotobuf-dev protobuf-compiler
    libmimalloc-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libfmt-dev libssl-dev libboost-dev
    systemtap-sdt-dev"
  [test]="catch2 systemd man-db groff-base"
  [clang]="clang-19 libclang-rt-19-dev"
  [integration]="python3-websockets chromium openssl"
  [trace]="bpftrace"
  [kernels]="qemu-system-x86 busybox-static cpio debian-archive-keyring"
  [lint]="clang-19 clang-tidy-19 clang-format-19 shellcheck ansible ansible-lint python3-yaml git"
  [format]="clang-format-19"
  [bench]="libbenchmark-dev"
  [flame]="linux-perf"
  [package]="build-essential debhelper dpkg-dev fakeroot lintian systemd"
  # systemd.pc has a package of its own from Debian 13 on.
  [package_later]="systemd-dev"
  [deploy]="mmdebstrap systemd-container iproute2 openssh-client"
  [ansible]="ansible age curl python3-yaml python3-cryptography"
  [deploy_whole]="python3-websockets git openssl"
  # Of the servers that `./dev bench fanout` compares with; npm brings ws.
  [peers]="golang-go golang-github-gorilla-websocket-dev golang-google-protobuf-dev protoc-gen-go"
)

# packages GROUP...: their names, a line each.
packages() {
  local group
  for group in "$@"; do
    [[ -n "${package_groups[$group]:-}" ]] || die "no group of packages is named '$group'"
    xargs -n 1 <<<"${package_groups[$group]}"
  done
}

# Fresh machines upgrade themselves in the background: what holds apt's locks then is waited for, so long.
apt_lock_seconds=600
apt=(apt-get -o "DPkg::Lock::Timeout=$apt_lock_seconds")

# The lists have a lock that apt-get does not wait for itself.
apt_update() {
  local tries=0
  until apt_log="$(as_root env LC_ALL=C "${apt[@]}" update -q 2>&1)"; do
    printf '%s\n' "$apt_log"
    [[ "$apt_log" == *"Could not get lock"* ]] && ((++tries <= apt_lock_seconds / 5)) || return 1
    sleep 5
  done
  printf '%s\n' "$apt_log"
}

apt_install() {
  local install=(env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y -q --no-install-recommends)
  # The lists of a fresh machine are empty or old: fetch them when the first try fails.
  as_root "${install[@]}" "$@" && return 0
  apt_update || true
  as_root "${install[@]}" "$@"
}

# Installs those of the named packages that are missing.
need() {
  local package installed missing=()
  installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package} ' "$@" 2>/dev/null)" || true
  for package in "$@"; do
    [[ "$installed" == *" installed:$package "* ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "needs root or sudo once, for: apt-get install ${missing[*]}"
    # Asks for its password here, where it is seen.
    sudo true
  fi
  say "installing ${missing[*]}"
  quietly apt apt_install "${missing[@]}"
}

# need_groups GROUP...: the same for whole groups.
need_groups() {
  local all
  mapfile -t all < <(packages "$@")
  need "${all[@]}"
}
