//! The contract as wasmtime renders it.

#[allow(missing_docs, unreachable_pub, clippy::all, unsafe_code)]
mod generated {
    wasmtime::component::bindgen!({
        path: "../wasm-policies/wit/v1",
        world: "policy",
        imports: { default: trappable },
    });
}

pub(crate) use generated::exports::headlint::policy::rules;
pub(crate) use generated::headlint::policy::context;
pub(crate) use generated::headlint::policy::types;
pub(crate) use generated::{Policy, PolicyPre};
