# Build directories: build/TYPE, configured once and again when its options change. Needs common.sh,
# packages.sh and node.sh.
# shellcheck shell=bash

# Sets up build/TYPE with the given options, or changes it when they are not what it has.
configure() {
  local type="$1" directory="build/$1" reconfigure=()
  shift
  local options=("$@")
  if [[ -f "$directory/build.ninja" ]]; then
    [[ -f "$directory/options" && "$(<"$directory/options")" == "${options[*]}" ]] && return 0
    reconfigure=(--reconfigure)
  fi
  say "configuring $directory"
  quietly "configure-$type" meson setup "${reconfigure[@]}" "$directory" "${options[@]}"
  printf '%s\n' "${options[*]}" >"$directory/options"
}

# clang, through ccache where there is one: meson adds it only to compilers that it chose itself. Every checkout
# shares what another has compiled.
clang="clang++-19"
command -v ccache >/dev/null && clang="ccache $clang"
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1

# compile TYPE [TARGET...]: all targets unless some are named.
compile() {
  local type="$1"
  shift
  local first=""
  [[ -e "build/$type/.ninja_log" ]] || first=": everything, which takes some minutes this first time"
  say "building build/$type$first"
  quietly "build-$type" ninja -C "build/$type" "$@"
}

# targets TYPE PATTERN: those whose whole name matches.
targets() { ninja -C "build/$1" -t targets all | sed -nE "s#^($2): .*#\1#p"; }

# build [TYPE [TARGET...]]: all targets unless some are named. The fuzz targets are part of asan.
build() {
  local type="${1:-release}"
  need_groups build
  case "$type" in
    release)
      build_page
      # `./dev bench` leaves a mark: from then on the benchmarks are kept up to date as well.
      local bench=false page=""
      [[ -e build/bench.wanted ]] && bench=true
      [[ -f web/dist/index.html ]] && page="$PWD/web/dist"
      # Names and lines are what profiles and stacks need; without the rest of what -g writes, heavy units compile in a
      # fifth to a third less time.
      configure release -Dbuildtype=release -Ddebug=true -Dcpp_args=-g1 -Db_ndebug=true -Dtests=disabled \
        "-Dbench=$bench" "-Dpage=$page"
      ;;
    debug)
      need_groups test
      configure debug -Dbuildtype=debug -Doptimization=g -Dtests=enabled
      ;;
    asan | tsan)
      need_groups test clang
      # clang's thread sanitizer brings an operator new that collides with ours; GCC's is shared.
      # Lines are what a report names: the rest of what -g writes takes as long as in a release.
      local sanitizers=address,undefined compiler="$clang" arguments="-g1 -fsanitize=fuzzer-no-link" fuzz=true
      if [[ "$type" == tsan ]]; then
        sanitizers=thread compiler="${clang/clang++-19/g++}" arguments=-g1 fuzz=false
      fi
      CXX="$compiler" configure "$type" -Dbuildtype=debug -Doptimization=0 -Dtests=enabled "-Dfuzz=$fuzz" \
        "-Db_sanitize=$sanitizers" -Db_lundef=false "-Dcpp_args=$arguments"
      ;;
    *) die "unknown build type '$type': release, debug, asan or tsan" ;;
  esac
  compile "$type" "${@:2}"
}

# The rooms with which the page's reader of replicated frames is held to the encoder and to the C++ reader.
need_replication_streams() {
  build debug tests/replication/replication_streams
  export RINGCAST_REPLICATION_STREAMS="$PWD/build/debug/tests/replication/replication_streams"
}

# GCC 12's thread sanitizer ends at once where the kernel spreads addresses over more than 28 bits, as many
# do by now: without randomization there. Root alone can read over how many.
address_bits_max=28
run_built() {
  local type="$1" bits
  shift
  bits="$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo unknown)"
  if [[ "$type" != tsan || "$bits" =~ ^[0-9]+$ && "$bits" -le "$address_bits_max" ]]; then
    "$@"
  else
    setarch --addr-no-randomize "$@"
  fi
}
