#!/usr/bin/env bash
# Builds a real InfluxDB 2.9.1 from its Go module into the file named by the first argument.
#
# `go install …@v2.9.1` is refused (its go.mod has `replace` lines), so a module of our own requires it.
# Flux needs a Rust library (libflux), which is built first. Needs Go >= 1.25.10, Rust, gcc and pkg-config;
# takes about six minutes on two cores, 3 GB of scratch space (removed afterwards) and 1.7 GB of memory.
set -euo pipefail

out=${1:?usage: build-influxd.sh OUTPUT-FILE}
target=x86_64-unknown-linux-gnu
case "$(uname -m)" in
  x86_64) ;;
  aarch64) target=aarch64-unknown-linux-gnu ;;
  *) echo "build-influxd: no known libflux target for $(uname -m)" >&2; exit 3 ;;
esac
for tool in go cargo gcc pkg-config; do
  command -v "$tool" >/dev/null || { echo "build-influxd: '$tool' is missing; install it and run again" >&2; exit 3; }
done

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$(dirname "$out")/influxd-build.XXXXXX")
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
# The module cache of the build is scratch too: 1.3 GB that nothing else needs.
export GOMODCACHE="$work/mod" GOCACHE="$work/gocache" GOTOOLCHAIN=local GOFLAGS=-mod=mod CGO_ENABLED=1

mkdir "$work/module" && cd "$work/module"
cat > go.mod <<'MOD'
module foremend.test/influxd

go 1.24

require github.com/influxdata/influxdb/v2 v2.9.1

replace github.com/nats-io/nats-streaming-server v0.11.2 => github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803

replace google.golang.org/protobuf v1.30.0 => google.golang.org/protobuf v1.33.0
MOD

flux=$(go mod download -json github.com/influxdata/flux@v0.200.0 | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
cp -r "$flux" "$work/flux" && chmod -R u+w "$work/flux"
# A rust-toolchain.toml in there pins a toolchain that would have to be downloaded: use the installed one.
rm -f "$work/flux/libflux/rust-toolchain.toml" "$work/flux/libflux/rust-toolchain"
if command -v rustup >/dev/null; then
  RUSTUP_TOOLCHAIN=$(rustup show active-toolchain | cut -d' ' -f1)
  export RUSTUP_TOOLCHAIN
fi
(cd "$work/flux/libflux" && env -u CARGO_TARGET_DIR cargo build --locked --release --target "$target" -p flux)

mkdir "$work/pc"
cat > "$work/pc/flux.pc" <<PC
Name: Flux
Description: libflux, built here
Version: 0.200.0
Cflags: -I$work/flux/libflux/include
Libs: -L$work/flux/libflux/target/$target/release -l:libflux.a -ldl -lpthread -lm
PC
PKG_CONFIG_PATH="$work/pc" go build -tags sqlite_foreign_keys,sqlite_json -ldflags "-s -w" \
  -o "$work/influxd" github.com/influxdata/influxdb/v2/cmd/influxd
mv "$work/influxd" "$out"
echo "built $out: $("$out" version)"
