#!/usr/bin/env bash
# Builds once, into a cache outside of the tree, what makes a machine a node beside
# Kubernetes' own programs, and makes target/node point at it: containerd, runc,
# plugins for the network, CoreDNS, and the image of tests' Pods. Says nothing where
# all is there already.
set -euo pipefail
cd "$(dirname "$0")"
root=$PWD/../..

digest=$(cat go.mod go.sum build.sh coredns/* pod/* | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/headlint-tests/node

# Some of it isn't built, and may be gone since.
"$root/tests/setup.sh" node
if [ ! -d "$cache/$digest" ]; then
    start=$(date +%s)
    mkdir -p "$cache"
    # Beside its place, so that it can be moved there whole.
    making=$(mktemp -d "$cache/making.XXXXXX")
    trap 'rm -rf "$making"' EXIT
    echo "building a node, once" >&2
    # Without seccomp, runc runs no Pod that asks for the default profile.
    go build -trimpath -tags seccomp -ldflags "-s -w" -o "$making/" ./coredns tool
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$making/" ./pod
    buildah --root "$making/storage" --runroot "$making/storage/run" --storage-driver vfs \
        build --quiet --isolation chroot --file pod/Dockerfile \
        --tag "oci-archive:$making/pod.tar:1" "$making" >/dev/null
    rm -rf "$making/storage"
    # Another run may have been faster: then its programs are as good.
    mv -T "$making" "$cache/$digest" 2>/dev/null || [ -d "$cache/$digest" ]
    echo "-- node: $(($(date +%s) - start)) s" >&2
fi
mkdir -p "$root/target"
ln -sfn "$cache/$digest" "$root/target/node"
