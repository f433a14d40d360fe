# headlint: everything a person and CI call. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:

# Prints what a step took. $(call step,name,command)
step = @start=$$(date +%s); { $(2); } && echo "-- $(1): $$(( $$(date +%s) - start )) s" >&2

# Always the whole workspace, so that every call wants the same features of the
# dependencies, and each is built once.
cargo_build = cargo build --locked --release --workspace --bins

# rustup may have been installed by `make setup` just now.
export PATH := $(HOME)/.cargo/bin:$(PATH)

POLICY_SOURCES := $(shell find wasm-policies/builtin wasm-policies/sdk wasm-policies/wit \
	-name '*.rs' -o -name '*.md' -path '*/src/*' -o -name '*.wit' -o -name Cargo.toml)
PACK_SOURCES := $(shell find wasm-policies/pack -type f)

# A source that went away makes nothing newer; the list of them does.
LIST := target/policy-sources
$(shell mkdir -p target; printf '%s\n' $(sort $(POLICY_SOURCES)) | cmp -s - $(LIST) \
	|| printf '%s\n' $(sort $(POLICY_SOURCES)) > $(LIST))

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
IMAGE := target/headlint-image.tar

.PHONY: help setup build policies run test image control-plane node helm bench corpus dns mutations fixes fuzz clean

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## Installs what the build needs, quietly where it is there already
	@tests/setup.sh

build: policies ## Builds target/release/headlint
	$(call step,build,$(cargo_build))

policies: setup target/policies/.packed ## Builds the built-in policies

target/policies/.packed: $(POLICY_SOURCES) wasm-policies/build.sh wasm-policies/cargo.sh .cargo/config.toml $(PACK_SOURCES) \
		$(LIST) Cargo.toml Cargo.lock rust-toolchain.toml
	$(call step,packer,$(cargo_build))
	$(call step,policies,wasm-policies/build.sh)
	@touch $@

run: build ## Lints real manifests and shows what headlint finds
	@tests/run.sh

# The same programs always make the same image.
image: build ## Builds target/headlint-image.tar, an OCI archive, without Docker
	@tests/setup.sh image
	@rm -rf $(IMAGE) target/storage
	$(call step,image,buildah --root target/storage --runroot target/storage/run --storage-driver vfs \
		build --quiet --isolation chroot --timestamp 0 --disable-compression=false \
		--build-context programs=target/release --tag oci-archive:$(IMAGE):$(VERSION) . >/dev/null)
	@rm -rf target/storage

test: build image target/kubectl-reference control-plane node helm ## Sets up and passes every test
	$(call step,format,cargo fmt --all --check)
	$(call step,clippy,cargo clippy --locked --quiet --release --workspace --all-targets -- -D warnings)
	$(call step,tests,cargo test --locked --release --workspace)
	@echo "all tests passed" >&2

bench: build ## Prints speed, memory and instructions, also beside others
	@tests/setup.sh bench
	@cargo bench --locked --quiet --workspace --bench speed --bench load

# kubectl's own code for reading files, of a pinned version.
target/kubectl-reference: $(wildcard tests/kubectl/reference/*)
	@tests/setup.sh go
	$(call step,kubectl,go build -C tests/kubectl/reference -trimpath -o $(CURDIR)/$@ .)

control-plane: ## Builds a real control plane for tests, once for all trees
	@tests/control-plane/build.sh

node: control-plane ## Builds what makes this machine a node, once for all trees
	@tests/node/build.sh

helm: ## Builds Helm 3 and 4 for tests, once for all trees
	@tests/helm/build.sh

DIR ?= tests/manifests

corpus: build target/kubectl-reference ## Shows findings by rule in DIR=folder, and how kubectl reads it
	$(call step,corpus,cargo build --locked --release --workspace --example corpus)
	@target/release/examples/corpus $(DIR)

dns: build node ## Asks a real CoreDNS for all that headlint dns says of DIR=folder
	$(call step,dns,cargo build --locked --release --workspace --example dns)
	@target/release/examples/dns $(DIR)

mutations: build ## Makes one defect at a time in the manifests in DIR=folder, and tells which are found
	$(call step,mutations,cargo build --locked --release --workspace --example mutations)
	@target/release/examples/mutations $(DIR)

fixes: build ## Mends copies of the manifests in DIR=folder, and checks what --fix promises
	$(call step,fixes,cargo build --locked --release --workspace --example fixes)
	@target/release/examples/fixes $(DIR)

FUZZ_SECONDS ?= 60

fuzz: build ## Reads broken manifests for FUZZ_SECONDS=60 seconds
	$(call step,fuzz,HEADLINT_FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --locked --release --workspace --test fuzz -- --nocapture)

clean: ## Removes what was built
	cargo clean
