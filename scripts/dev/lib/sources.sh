# The files of the tree by what they are written in, for what looks at all of them.
# shellcheck shell=bash

cpp_files() { git ls-files --cached --others --exclude-standard -- '*.h' '*.cpp'; }
shell_files() {
  git ls-files --cached --others --exclude-standard -- '*.sh' '*.bash' dev .ci/run \
    ansible/roles/ringcast/files/ringcast-release
}
