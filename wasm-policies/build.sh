#!/usr/bin/env bash
# Builds the built-in policies: guest modules for wasm32-unknown-unknown, then
# packed into target/policies/ as components and as code for this CPU family.
set -euo pipefail
cd "$(dirname "$0")/.."

target=wasm32-unknown-unknown
packages=()
for manifest in wasm-policies/builtin/*/Cargo.toml; do
    packages+=(-p "headlint-policy-$(basename "$(dirname "$manifest")")")
done
wasm-policies/cargo.sh build --locked --quiet --profile policy --target "$target" \
    --target-dir target/guest "${packages[@]}"

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
