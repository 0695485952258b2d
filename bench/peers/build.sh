#!/usr/bin/env bash
# Builds the peer that meson doesn't: gorilla/websocket, from Debian's Go packages alone (no module
# is fetched), into build/peers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out="$PWD/build/peers"
source="$out/go/src/ringcast"
mkdir -p "$source"
for name in envelope arena; do
  mkdir -p "$source/$name"
  protoc --proto_path=proto/ringcast/v1 "--go_out=$source/$name" --go_opt=paths=source_relative \
    "--go_opt=M$name.proto=ringcast/$name" "$name.proto"
done
GO111MODULE=off GOFLAGS='' GOPATH="$out/go:/usr/share/gocode" GOCACHE="$out/cache" \
  go build -o "$out/gorilla" ./bench/peers/gorilla
