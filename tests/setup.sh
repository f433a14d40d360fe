#!/usr/bin/env bash
# Installs what building needs; with the argument `go`, what building kubectl
# needs; with `image`, what puts an image together; with `node`, what a node
# needs; with `bench`, what is measured beside ours; with `etcd FILE`, puts etcd
# there. Says nothing where all is there.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$HOME/.cargo/bin:$PATH"

# install PACKAGE...: by apt, as root
install() {
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
        echo "missing: $*; install it, or run this as root where apt is" >&2
        exit 1
    fi
    echo "installing $*" >&2
    apt-get install -y -qq "$@" >/dev/null 2>&1 && return
    apt-get update -qq >/dev/null
    apt-get install -y -qq "$@" >/dev/null
}

if [ "${1:-}" = go ]; then
    command -v go >/dev/null || install golang
    # From 1.21 on, Go fetches the version that go.mod asks for.
    minor=$(go env GOVERSION 2>/dev/null | sed -nE 's/^go1\.([0-9]+).*/\1/p')
    if [ "${minor:-0}" -lt 21 ]; then
        echo "no Go of version 1.21 or later: install it (https://go.dev/dl)" >&2
        exit 1
    fi
    exit
fi

if [ "${1:-}" = bench ]; then
    command -v valgrind >/dev/null || install valgrind
    command -v wrk >/dev/null || install wrk
    # Outside of the tree: it is a tool, and no part of what is built.
    score=${XDG_CACHE_HOME:-$HOME/.cache}/headlint-bench/kube-score
    if [ ! -x "$score" ]; then
        tests/setup.sh go
        echo "installing kube-score" >&2
        GOBIN=$(dirname "$score") go install github.com/zegl/kube-score/cmd/kube-score@v1.20.0
    fi
    exit
fi

if [ "${1:-}" = image ]; then
    command -v buildah >/dev/null || install buildah
    exit
fi

if [ "${1:-}" = node ]; then
    tests/setup.sh go
    tests/setup.sh image
    command -v nft >/dev/null || install nftables
    command -v ip >/dev/null || install iproute2
    command -v pkg-config >/dev/null || install pkg-config
    pkg-config --exists libseccomp || install libseccomp-dev
    exit
fi

if [ "${1:-}" = etcd ]; then
    if command -v etcd >/dev/null; then
        cp -L "$(command -v etcd)" "$2"
        exit
    fi
    if ! command -v apt-get >/dev/null; then
        echo "missing: etcd; install it" >&2
        exit 1
    fi
    # Out of Debian's package, not by it: that would start a service.
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cd "$folder"
    echo "fetching etcd-server" >&2
    apt-get download -qq etcd-server >/dev/null 2>&1 || {
        apt-get update -qq >/dev/null
        apt-get download -qq etcd-server >/dev/null
    }
    dpkg-deb --extract etcd-server_*.deb .
    cp usr/bin/etcd "$2"
    exit
fi

command -v cc >/dev/null || install gcc libc6-dev
if ! command -v cargo >/dev/null; then
    command -v curl >/dev/null || install curl ca-certificates
    echo "installing rustup" >&2
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
        sh -s -- -y --quiet --profile minimal --default-toolchain none
fi

# A cargo that doesn't come from rustup takes no notice of rust-toolchain.toml.
wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
found=$(cargo --version | cut -d' ' -f2)
if [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
    echo "cargo $found is older than $wanted: install Rust with rustup (https://rustup.rs)" >&2
    exit 1
fi
