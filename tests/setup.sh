#!/usr/bin/env bash
# Installs what building needs; with the argument `go`, what comparing with
# kubectl needs. Says nothing where all is there.
set -euo pipefail

if [ "${1:-}" = go ]; then
    if ! command -v go >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "installing Go" >&2
        apt-get update -qq >/dev/null
        apt-get install -y -qq golang >/dev/null
    fi
    # From 1.21 on, Go fetches the version that go.mod asks for.
    minor=$(go env GOVERSION 2>/dev/null | sed -nE 's/^go1\.([0-9]+).*/\1/p')
    if [ "${minor:-0}" -lt 21 ]; then
        echo "no Go of version 1.21 or later: install it (https://go.dev/dl)" >&2
        exit 1
    fi
    exit
fi

if ! command -v cargo >/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "installing rustup" >&2
        apt-get update -qq >/dev/null
        apt-get install -y -qq rustup gcc libc6-dev >/dev/null
    else
        echo "no cargo: install Rust with rustup (https://rustup.rs)" >&2
        exit 1
    fi
fi
if ! command -v cc >/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "installing a C compiler" >&2
        apt-get update -qq >/dev/null
        apt-get install -y -qq gcc libc6-dev >/dev/null
    else
        echo "no C compiler (cc): install gcc or clang" >&2
        exit 1
    fi
fi
# The first call in this folder lets rustup fetch the pinned toolchain.
cargo --version >/dev/null
