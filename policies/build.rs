//! Embeds the built-in policies that `make build` has packed into
//! `target/policies/`.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let packed = Path::new(&root).join("../target/policies");
    println!("cargo::rerun-if-changed={}", packed.display());

    let mut code: Vec<_> = fs::read_dir(&packed)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
        .collect();
    code.sort();
    if code.is_empty() {
        // The packer is built in the same run of cargo, before there are any.
        println!("cargo::warning=no policies in target/policies: `make build` packs them");
    }

    let mut list = String::from("[\n");
    for code in &code {
        let name = code.file_stem().expect("it has an extension").to_string_lossy();
        let digest = fs::read_to_string(code.with_extension("sha256")).expect("packed with it");
        writeln!(
            list,
            "    Packed {{ name: {name:?}, digest: \"sha256:{digest}\", code: include_bytes!({:?}) }},",
            code.canonicalize().expect("it was just listed"),
        )
        .expect("a String takes everything");
    }
    list.push(']');
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("packed.rs");
    fs::write(out, list).expect("cargo's folder can be written to");
}
