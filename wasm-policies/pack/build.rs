//! Tells the packer which target it serves.

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=PACK_TARGET={target}");
    println!("cargo::rerun-if-changed=build.rs");
}
