#!/usr/bin/env bash
# ./dev lint: style, and what the tree promises of itself: layers, words, playbooks, workflows.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/dev/lib/common.sh
source scripts/dev/lib/packages.sh
source scripts/dev/lib/node.sh
source scripts/dev/lib/builds.sh
source scripts/dev/lib/steps.sh
source scripts/dev/lib/sources.sh

at_most 0 lint "$@"

clang_format_check() { cpp_files | xargs -d '\n' clang-format-19 --dry-run -Werror; }
clang_tidy_check() {
  CXX="$clang" configure tidy -Dbuildtype=debug -Dtests=disabled -Dbench=true
  # Generated headers are all that clang-tidy needs built.
  local generated
  mapfile -t generated < <(targets tidy '[^:]+\.pb\.h')
  compile tidy "${generated[@]}"
  scripts/tidy.py build/tidy
}

ansible_check() { (cd ansible && ansible-lint -q --nocolor); }
shellcheck_check() { shell_files | xargs -d '\n' shellcheck; }

workflow_linter_install() { quietly npm-repository npm --prefix tests/repository ci --no-audit --no-fund; }
need_workflow_linter() {
  need_node
  [[ -d tests/repository/node_modules ]] || rm -f build/npm-repository.stamp
  when_changed build/npm-repository.stamp 'ls tests/repository/package*.json' workflow_linter_install
}

need_groups build lint bench
step format clang_format_check
step shellcheck shellcheck_check
step layers python3 scripts/check_includes.py
step ansible ansible_check
need_workflow_linter
step workflows node tests/repository/check_workflows.mjs .github/workflows --self-test
step repository /usr/bin/python3 tests/repository/check_repository.py . --self-test
step words python3 scripts/check_words.py
step tidy clang_tidy_check
close_tests
