#!/usr/bin/env bash
# Installs what building and testing need. Says nothing where all is there.
set -euo pipefail

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
