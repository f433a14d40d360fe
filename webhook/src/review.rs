//! `headlint-webhook review`: what it would answer to one request, without a
//! cluster.

use std::fs;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use arc_swap::ArcSwap;
use axum::http::StatusCode;
use headlint_policies::inventory::{Change, Knowledge, Live};
use headlint_policies::manifest::{Source, load};
use headlint_policies::model::project;
use serde_json::Value;
use tokio::time::Instant;

use crate::admission::Admission;
use crate::args::ReviewArgs;
use crate::metrics::Metrics;
use crate::runtime::{Loader, fault_line};

/// Exit code of a denial.
const DENIED: u8 = 1;

/// More than all policies take on all related objects.
const UNHURRIED: Duration = Duration::from_secs(3_600);

/// Prints the answer as JSON, and returns the exit code.
///
/// # Errors
/// When the request, a manifest or the configuration can't be read.
pub fn review(args: &ReviewArgs, stdout: &mut dyn Write) -> anyhow::Result<u8> {
    let mut request = Vec::new();
    match args.file.as_os_str().to_str() {
        Some("-") => io::stdin().read_to_end(&mut request).map(drop),
        _ => fs::read(&args.file).map(|bytes| request = bytes),
    }
    .with_context(|| format!("can't read {}", args.file.display()))?;

    let metrics = Arc::new(Metrics::new());
    let (config, policies) = (args.config.as_deref(), args.policy_dir.as_deref());
    let (runtime, faults) = Loader::new(config, policies, Arc::clone(&metrics)).start()?;
    if let Some(fault) = faults.first() {
        return Err(anyhow!(fault_line(fault)));
    }
    let profile = runtime.config().cluster.clone();
    // With a context, it is all there is.
    let complete = !args.context.is_empty();
    let live = Arc::new(Live::new(Knowledge { complete, profile, ..Knowledge::default() }));
    for path in &args.context {
        live.apply(objects(path, &args.namespace)?);
    }
    let admission = Admission::new(Arc::new(ArcSwap::from_pointee(runtime)), live, metrics);
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // No API server waits.
    let due = Instant::now() + UNHURRIED;
    let reply = threads.block_on(admission.review(request.into(), due));
    if reply.status != StatusCode::OK {
        let told = String::from_utf8_lossy(&reply.body).into_owned();
        return Err(anyhow!("{}: {told}", args.file.display()));
    }
    let answer: Value = serde_json::from_slice(&reply.body)?;
    writeln!(stdout, "{}", serde_json::to_string_pretty(&answer)?)?;
    Ok(if answer["response"]["allowed"] == true { 0 } else { DENIED })
}

/// The objects of a file, or of all manifests below a folder.
fn objects(path: &Path, namespace: &str) -> anyhow::Result<Vec<Change>> {
    let mut changes = Vec::new();
    for file in manifests(path)? {
        let name = file.display().to_string();
        let bytes = fs::read(&file).with_context(|| format!("can't read {name}"))?;
        let wrong = |message: &str| anyhow!("{name}: {message}");
        let source = Source::new(name.clone(), bytes).map_err(|error| wrong(&error.message))?;
        let loaded = load(Arc::new(source));
        if let Some(error) = loaded.errors.first() {
            let line = error.line.unwrap_or(1);
            return Err(wrong(&format!("line {line}: {}", error.message)));
        }
        for manifest in loaded.manifests {
            let projected = project(&manifest.root, namespace);
            let projected = projected.map_err(|error| wrong(&error.to_string()))?;
            changes.push(Change::Put(Arc::new(projected)));
        }
    }
    Ok(changes)
}

/// In order of their names; a file that is named is taken whatever it is called.
fn manifests(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("can't list {}", path.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let is_manifest =
            path.extension().is_some_and(|it| it == "yaml" || it == "yml" || it == "json");
        if path.is_dir() {
            found.extend(manifests(&path)?);
        } else if is_manifest {
            found.push(path);
        }
    }
    Ok(found)
}
