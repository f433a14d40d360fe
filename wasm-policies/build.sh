#!/usr/bin/env bash
# Builds the built-in policies: guest modules for wasm32-unknown-unknown, then
# packed into target/policies/ as components and as code for this CPU family.
#
# The compiler is rustup's where it has the wasm target or can get it, and
# Debian's matched pair of compiler and std source otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

target=wasm32-unknown-unknown
refused=target/.rustup-has-no-$target
packages=()
for manifest in wasm-policies/builtin/*/Cargo.toml; do
    packages+=(-p "headlint-policy-$(basename "$(dirname "$manifest")")")
done

has_target() { [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]; }

rustup_target() {
    has_target && return
    command -v rustup >/dev/null || return 1
    # Where rustup can't download, it is asked once.
    [ ! -e "$refused" ] || return 1
    if timeout 120 rustup target add "$target" >/dev/null 2>&1 && has_target; then
        return
    fi
    mkdir -p target && touch "$refused"
    return 1
}

debian_compiler() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -d /usr/lib/rustlib/src ] && return
    command -v apt-get >/dev/null || return 1
    echo "installing Debian's rustc-web, cargo-web and rust-web-src" >&2
    apt-get install -y -qq rustc-web cargo-web rust-web-src >/dev/null 2>&1 && return
    apt-get update -qq >/dev/null && apt-get install -y -qq rustc-web cargo-web rust-web-src >/dev/null
}

build=(build --locked --quiet --profile policy --target "$target" --target-dir target/guest "${packages[@]}")
if rustup_target; then
    cargo "${build[@]}"
elif debian_compiler; then
    lld=$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld
    # Debian ships std as source only, and its cargo builds it with the guest.
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$lld \
        /usr/bin/cargo -Zbuild-std=std,panic_abort "${build[@]}"
else
    echo "no Rust compiler for $target: run 'rustup target add $target'," >&2
    echo "or install Debian's rustc-web, cargo-web and rust-web-src as root" >&2
    exit 1
fi

rm -rf target/policies.new
for manifest in wasm-policies/builtin/*/Cargo.toml; do
    name=$(basename "$(dirname "$manifest")")
    target/release/headlint-policy-pack \
        "target/guest/$target/policy/headlint_policy_${name//-/_}.wasm" target/policies.new
done
mkdir -p target/policies
# Only what changed is replaced, so that cargo rebuilds only then.
for new in target/policies.new/*; do
    cmp -s "$new" "target/policies/$(basename "$new")" || mv "$new" target/policies/
done
for old in target/policies/*; do
    [ -e "wasm-policies/builtin/$(basename "${old%.*}")" ] || rm "$old"
done
rm -rf target/policies.new
