#!/usr/bin/env bash
# ./dev release TAG: what a tag becomes, in build/release-files: the packages for this machine's Debian, and the notes.
# Files of both Debian releases lie side by side there, so their names say which.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh

(($#)) || die "which tag? ./dev release v1.2.3"
at_most 1 release "$@"
tag="$1" folder=build/release-files
version="$(project_version)"
[[ "$tag" == "v$version" ]] || die "the tag is $tag, but meson.build's version is $version: one of them is wrong"
rm -rf "$folder"
mkdir -p "$folder"
awk -v heading="## [$version]" '
  /^## / { shown = index($0, heading) == 1; next }
  /^\[[^]]+\]: / { exit }
  shown' CHANGELOG.md >"$folder/notes.md"
grep -q . "$folder/notes.md" || die "CHANGELOG.md has no section [$version]: give Unreleased that heading, with the date"
scripts/dev/package.sh
for package in build/package/*_"$version"_*.deb; do
  name="${package##*/}"
  cp "$package" "$folder/${name%.deb}_$(this_release).deb"
done
