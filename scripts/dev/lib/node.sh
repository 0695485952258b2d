# What is made with node: the page, its packages and tests. Needs common.sh and packages.sh.
# shellcheck shell=bash

# node with npm, and protoc for the types generated from proto/.
need_node() {
  need protobuf-compiler
  local major
  major="$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)"
  if ((major < 18)) || ! command -v npm >/dev/null; then need nodejs npm; fi
}

npm_install() {
  say "installing the page's npm packages"
  quietly npm-ci npm --prefix web ci --no-audit --no-fund
}

need_npm_packages() {
  need_node
  [[ -d web/node_modules ]] || rm -f build/npm.stamp
  when_changed build/npm.stamp 'ls web/package.json web/package-lock.json' npm_install
}

page_build() {
  say "building the page"
  quietly npm-build npm --prefix web run build
}

page_inputs="find web proto -type f -not -path '*/node_modules/*' -not -path 'web/dist/*' \
  -not -path 'web/client/gen/*'"
build_page() {
  [[ -f web/package.json ]] || return 0
  need_npm_packages
  [[ -f web/dist/index.html ]] || rm -f build/page.stamp
  when_changed build/page.stamp "$page_inputs" page_build
}
