//! `headlint-policy-pack MODULE.wasm DIR`: writes the component, its digest
//! and its code for a baseline CPU into a folder.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, folder] = arguments.as_slice() else {
        bail!("usage: headlint-policy-pack MODULE.wasm DIR");
    };
    let name = module.file_stem().context("the module has no file name")?.to_string_lossy();
    let name = name.trim_start_matches("headlint_policy_").replace('_', "-");
    let bytes = fs::read(module).with_context(|| format!("can't read {}", module.display()))?;
    let component = headlint_policy_pack::component(&bytes)
        .with_context(|| format!("{} can't become a component", module.display()))?;

    let mut config = headlint_policy_pack::config();
    // Naming a target, even the machine's own, compiles for its baseline: the
    // binary must run on CPUs that lack what the build machine has.
    config.target(env!("PACK_TARGET"))?;
    let code = wasmtime::Engine::new(&config)?.precompile_component(&component)?;

    fs::create_dir_all(folder)?;
    let digest = Sha256::digest(&component);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(folder.join(format!("{name}.wasm")), &component)?;
    fs::write(folder.join(format!("{name}.cwasm")), &code)?;
    fs::write(folder.join(format!("{name}.sha256")), digest)?;
    Ok(())
}
