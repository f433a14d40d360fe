//! The contract as wit-bindgen renders it.

#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all)]
pub mod generated {
    wit_bindgen::generate!({
        path: "../wit/v1",
        world: "policy",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "headlint_policy_sdk::export::generated",
    });
}

#[cfg(target_family = "wasm")]
pub use generated::export;
pub use generated::exports::headlint::policy::rules as wire;
pub use generated::exports::headlint::policy::rules::Guest;
pub(crate) use generated::headlint::policy::context as host;
/// The records of the contract, in Kubernetes' own terms.
pub use generated::headlint::policy::types;
