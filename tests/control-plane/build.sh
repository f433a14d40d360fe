#!/usr/bin/env bash
# Builds a Kubernetes control plane once, into a cache outside of the tree, and
# makes target/control-plane point at its programs. Says nothing where they are
# there already.
set -euo pipefail
cd "$(dirname "$0")"
root=$PWD/../..

version=$(sed -nE 's|^\tk8s.io/kubernetes (v[0-9.]+)$|\1|p' go.mod)
digest=$(cat go.mod go.sum build.sh ./*/main.go | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/headlint-tests/control-plane
programs=$cache/$digest/bin

if [ ! -d "$programs" ]; then
    start=$(date +%s)
    "$root/tests/setup.sh" go
    mkdir -p "$cache"
    # Beside its place, so that it can be moved there whole.
    making=$(mktemp -d "$cache/making.XXXXXX")
    trap 'rm -rf "$making"' EXIT
    mkdir "$making/bin"
    "$root/tests/setup.sh" etcd "$making/bin/etcd"
    # kubectl and Helm refuse a server that doesn't know its version.
    package=k8s.io/component-base/version
    IFS=. read -r major minor _ <<<"${version#v}"
    set_version="-X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
    echo "building Kubernetes $version, once" >&2
    go build -trimpath -ldflags "-s -w $set_version" -o "$making/bin/" ./...
    # Another run may have been faster: then its programs are as good.
    mv -T "$making" "$cache/$digest" 2>/dev/null || [ -d "$programs" ]
    echo "-- control-plane: $(($(date +%s) - start)) s" >&2
fi
mkdir -p "$root/target"
ln -sfn "$programs" "$root/target/control-plane"
