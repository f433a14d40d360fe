#!/usr/bin/env bash
# Builds Helm of both major versions once, into a cache outside of the tree, with
# the definitions of the resources that the chart makes and Kubernetes doesn't
# know; target/helm points there. Says nothing where they are there already.
set -euo pipefail
cd "$(dirname "$0")"
root=$PWD/../..

helm3=v3.21.4
helm4=v4.3.0
# Of later versions of the operator, the module proxy has none.
definitions=(
    github.com/cert-manager/cert-manager@v1.21.2/deploy/crds
    github.com/prometheus-operator/prometheus-operator@v0.85.0/example/prometheus-operator-crd
)
kinds='certificates|issuers|servicemonitors|prometheusrules'

digest=$(sha256sum build.sh | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/headlint-tests/helm

if [ ! -d "$cache/$digest" ]; then
    start=$(date +%s)
    "$root/tests/setup.sh" go
    mkdir -p "$cache"
    # Beside its place, so that it can be moved there whole.
    making=$(mktemp -d "$cache/making.XXXXXX")
    trap 'rm -rf "$making"' EXIT
    mkdir "$making/definitions"
    # Modules are named by their version, whatever folder this is.
    cd "$making"
    echo "building Helm $helm3 and $helm4, once" >&2
    for definition in "${definitions[@]}"; do
        module=$(cut -d/ -f1-3 <<<"$definition")
        folder=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
        find "$folder/$(cut -d/ -f4- <<<"$definition")" -regextype posix-extended \
            -regex ".*_($kinds)\.yaml" -exec cp {} definitions/ \;
    done
    # Without its version, Helm 3 takes itself for a client of Kubernetes 1.20.
    package=helm.sh/helm/v3/pkg/chartutil
    GOBIN=$making go install -trimpath -ldflags "-s -w -X $package.k8sVersionMajor=1 -X $package.k8sVersionMinor=36" \
        "helm.sh/helm/v3/cmd/helm@$helm3"
    mv helm helm3
    # Helm 4 reads it from the modules that it was built of.
    GOBIN=$making go install -trimpath -ldflags '-s -w' "helm.sh/helm/v4/cmd/helm@$helm4"
    mv helm helm4
    # Another run may have been faster: then its programs are as good.
    mv -T "$making" "$cache/$digest" 2>/dev/null || [ -d "$cache/$digest" ]
    echo "-- helm: $(($(date +%s) - start)) s" >&2
fi
mkdir -p "$root/target"
ln -sfn "$cache/$digest" "$root/target/helm"
