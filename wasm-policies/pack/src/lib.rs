//! Turns a guest module into what the engine loads.
//!
//! Shared by the build, which packs the built-in policies, and by the engine,
//! which loads them: code compiled ahead of time runs only under the settings
//! that it was compiled with.

use wasmtime::Config;

/// The most linear memory that one instance may have, in bytes.
///
/// The reservation is just as large, so that the same compiled code runs
/// wherever an instance's memory comes from, and an address space of a few
/// hundred megabytes is enough.
pub const MEMORY_LIMIT: usize = 64 << 20;

/// The most native stack that a guest may use, in bytes.
pub const STACK_LIMIT: usize = 256 << 10;

/// The settings that compiled code depends on.
#[must_use]
pub fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .memory_reservation(MEMORY_LIMIT as u64)
        .memory_reservation_for_growth(0)
        // Bounds are checked, so a guard only has to catch small offsets.
        .memory_guard_size(64 << 10)
        .max_wasm_stack(STACK_LIMIT)
        // A guest's backtrace would tell a user nothing, and the tables for it
        // are half of the compiled code.
        .generate_address_map(false)
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(false);
    config
}

/// A component made of a core module that carries its WIT world, as
/// `wit-bindgen` leaves it. A component is returned as it is.
///
/// # Errors
/// When the bytes are neither, or the module doesn't fit its world.
pub fn component(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    anyhow::ensure!(bytes.starts_with(b"\0asm"), "the file doesn't begin as WebAssembly does");
    if wasmparser::Parser::is_component(bytes) {
        return Ok(bytes.to_vec());
    }
    wit_component::ComponentEncoder::default().validate(true).module(bytes)?.encode()
}
