#!/usr/bin/env bash
# A cargo that can build guests, with the same arguments and in the same folder.
#
# The compiler is rustup's where it has the wasm target or can get it, and
# Debian's matched pair of compiler and std source otherwise.
set -euo pipefail
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=wasm32-unknown-unknown
refused=$tree/target/.rustup-has-no-$target
# Of this tree, wherever the crate is.
RUSTUP_TOOLCHAIN=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$tree/rust-toolchain.toml")
export RUSTUP_TOOLCHAIN

has_target() { [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]; }

rustup_target() {
    has_target && return
    command -v rustup >/dev/null || return 1
    # Where rustup can't download, it is asked once.
    [ ! -e "$refused" ] || return 1
    if timeout 120 rustup target add "$target" >/dev/null 2>&1 && has_target; then
        return
    fi
    mkdir -p "$tree/target" && touch "$refused"
    return 1
}

debian_compiler() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -d /usr/lib/rustlib/src ] && return
    command -v apt-get >/dev/null || return 1
    echo "installing Debian's rustc-web, cargo-web and rust-web-src" >&2
    apt-get install -y -qq rustc-web cargo-web rust-web-src >/dev/null 2>&1 && return
    apt-get update -qq >/dev/null && apt-get install -y -qq rustc-web cargo-web rust-web-src >/dev/null
}

if rustup_target; then
    exec cargo "$@"
elif debian_compiler; then
    lld=$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld
    # Debian ships std as source only, and its cargo builds it with the guest.
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$lld \
        exec /usr/bin/cargo -Zbuild-std=std,panic_abort "$@"
else
    echo "no Rust compiler for $target: run 'rustup target add $target'," >&2
    echo "or install Debian's rustc-web, cargo-web and rust-web-src as root" >&2
    exit 1
fi
