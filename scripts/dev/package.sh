#!/usr/bin/env bash
# ./dev package [--version V] [--suite SUITE]: Debian packages, of this machine's release in build/package, of
# another in build/package/SUITE. --version makes them another version than meson.build's, such as deployments
# are tried with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/node.sh
source scripts/dev/lib/builds.sh

# The tree as it is packaged, in FOLDER: the page in it, nothing that is ignored.
package_source() {
  local folder="$1" version="$2"
  rm -rf "$folder"
  mkdir -p "$folder"
  git ls-files --cached --others --exclude-standard -z |
    tar --create --null --files-from=- --ignore-failed-read | tar --extract --directory "$folder"
  cp -r web/dist "$folder/web/dist"
  sed -i -E "s/^  version: '.*',$/  version: '$version',/" "$folder/meson.build"
  scripts/debian_changelog.py CHANGELOG.md "$version" "$(git log -1 --format=%ct)" >"$folder/debian/changelog"
}

# Those of another release of Debian, built in a root of it that is kept in build/roots.
package_elsewhere() {
  local suite="$1" folder="$2" root="build/roots/$1"
  need mmdebstrap
  if [[ ! -d "$root" ]]; then
    local mirror
    mirror="$({ cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true; } |
      awk '(/^URIs:/ || /^deb /) && !found++ { print $2 }')"
    [[ -n "$mirror" ]] || die "no Debian mirror in /etc/apt"
    say "installing $suite with what a build needs into $root"
    mkdir -p build/roots
    local groups=(build package) include
    [[ "$suite" == bookworm ]] || groups+=(package_later)
    include="$(packages "${groups[@]}" | paste -sd ,),ccache"
    quietly "root-$suite" as_root mmdebstrap --variant=buildd --aptopt='APT::Install-Recommends "false"' \
      --include="$include" "$suite" "$root.new" "$mirror"
    as_root mv "$root.new" "$root"
  fi
  as_root rm -rf "$root/build"
  as_root mkdir -p "$root/build"
  as_root cp -r "$folder" "$root/build/source"
  quietly "package-$suite" as_root chroot "$root" sh -c 'cd /build/source && CCACHE_DIR=/var/cache/ccache \
    dpkg-buildpackage --build=binary --unsigned-changes --unsigned-buildinfo'
  as_root chroot "$root" sh -c 'cd /build && lintian --fail-on error,warning ringcast_*.changes'
  cp "$root"/build/ringcast*.* "${folder%/*}"
  as_root rm -rf "$root/build"
}

suite="" folder=build/package
version="$(project_version)"
while (($#)); do
  [[ "$1" == --version || "$1" == --suite ]] || die "unknown argument for 'package': $1"
  (($# >= 2)) || die "$1 needs a value"
  if [[ "$1" == --version ]]; then version="$2"; else suite="$2"; fi
  shift 2
done
[[ "$version" =~ ^[0-9][0-9A-Za-z.+~]*$ ]] || die "not a version of a package: '$version'"
[[ "$suite" != "$(this_release)" ]] || suite=""
[[ -z "$suite" ]] || folder="build/package/$suite"
need_groups build package
[[ "$(this_release)" == bookworm ]] || need_groups package_later
build_page
say "packaging $version into $folder"
rm -f "$folder"/ringcast*_"$version"_*
package_source "$folder/source" "$version"
if [[ -n "$suite" ]]; then
  package_elsewhere "$suite" "$folder/source"
else
  # debhelper gives the build a home of its own, in which the compiler's cache would be lost.
  quietly package env --chdir="$folder/source" CCACHE_DIR="${CCACHE_DIR:-$HOME/.cache/ccache}" \
    dpkg-buildpackage --build=binary --unsigned-changes --unsigned-buildinfo
  lintian --fail-on error,warning "$folder/ringcast_${version}_"*.changes
fi
rm -rf "$folder/source"
(cd "$folder" && printf '%s\n' ./*_"$version"_*.deb)
