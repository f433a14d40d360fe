//! What a request is judged by: policies and configuration, swapped as one.
//!
//! ```text
//! config file ─┐
//!              ├─▶ Loader ─▶ Runtime { engine, config, generation } ─▶ Live
//! policies ────┘     └ what is bad keeps the last good one serving
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use headlint_policies::config::{WrittenPolicies, configure, today};
use headlint_policies::engine::{Engine, EngineError, Limits, Policy, cache_folder};
use headlint_policies::evaluate::RuleFilter;
use headlint_policies::finding::Fault;

use crate::config::{Config, ConfigError, Notice, Written, in_file};
use crate::metrics::{Metrics, Source};
use crate::watch::{Contents, Watched};

/// What a request is judged by. It takes one of these at its start, and uses it
/// to its end.
#[derive(Debug)]
pub struct Runtime {
    engine: Arc<Engine>,
    config: Config,
    generation: u64,
}

impl Runtime {
    /// The policies.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Which rules are judged.
    #[must_use]
    pub fn rules(&self) -> &RuleFilter {
        &self.config.filter
    }

    /// How many were put into use before it, and itself.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// The [`Runtime`] in use.
pub type Live = ArcSwap<Runtime>;

/// Why a runtime can't be made.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The folder of policies or a file in it can't be used.
    #[error("{}", faults.join("; "))]
    Policies {
        /// One for each file.
        faults: Vec<String>,
    },
}

impl LoadError {
    fn source(&self) -> Source {
        match self {
            Self::Config(_) => Source::Config,
            Self::Engine(_) | Self::Policies { .. } => Source::Policies,
        }
    }
}

/// What of the configuration an engine is made with: what an evaluation may
/// spend, and what is said to the policies.
type Made = (Limits, WrittenPolicies);

/// Reads configuration and policies, again when they change.
#[derive(Debug)]
pub struct Loader {
    config_file: Option<PathBuf>,
    watched_config: Option<Watched>,
    watched_policies: Option<Watched>,
    config: Contents,
    policies: Contents,
    metrics: Arc<Metrics>,
    /// The last engine, and what it was made with; it costs more than the rest.
    engine: Option<(Arc<Engine>, Made)>,
    /// How many evaluations there are at once.
    at_once: Option<usize>,
}

impl Loader {
    /// Without a file, the configuration is the default; without a folder, the
    /// policies are the built-in ones.
    #[must_use]
    pub fn new(config: Option<&Path>, policies: Option<&Path>, metrics: Arc<Metrics>) -> Self {
        Self {
            config_file: config.map(Path::to_owned),
            watched_config: config.map(|file| Watched::files([file.to_owned()])),
            watched_policies: policies.map(|folder| Watched::policies(folder.to_owned())),
            config: Contents::default(),
            policies: Contents::default(),
            metrics,
            engine: None,
            at_once: None,
        }
    }

    /// The first runtime. Policies that can't be used are left out and told: a
    /// replica that starts judges with the others, rather than not at all.
    ///
    /// # Errors
    /// When the configuration is wrong, for there is no other.
    pub fn start(&mut self) -> Result<(Runtime, Vec<Fault>), LoadError> {
        self.look();
        let written = self.written()?;
        let (engine, faults) = self.engine(&written)?;
        let runtime = self.runtime(written, engine, 1)?;
        self.metrics.reloaded(Source::Config, true);
        self.metrics.reloaded(Source::Policies, faults.is_empty());
        Ok((runtime, faults))
    }

    /// Puts what has changed into use, if it is good. Otherwise all stays as it
    /// was, and the log and the metrics say so. Blocks: for a policy that has
    /// to be compiled, some tenths of a second.
    pub fn reload(&mut self, live: &Live) {
        let changed = self.look();
        if changed.is_empty() {
            return;
        }
        let old = live.load();
        let made = self.written().and_then(|written| {
            let (engine, faults) = self.engine(&written)?;
            if !faults.is_empty() {
                let faults = faults.iter().map(fault_line).collect();
                return Err(LoadError::Policies { faults });
            }
            self.runtime(written, engine, old.generation + 1)
        });
        match made {
            Ok(runtime) => {
                for source in changed {
                    self.metrics.reloaded(source, true);
                }
                for key in runtime.config.needs_restart(&old.config) {
                    tracing::warn!("the change of `{key}` counts from the next start on");
                }
                announce(&runtime);
                live.store(Arc::new(runtime));
            }
            Err(error) => {
                self.metrics.reloaded(error.source(), false);
                tracing::error!(
                    source = error.source().as_str(),
                    generation = old.generation,
                    "what changed can't be used, and the last good one stays: {error}"
                );
            }
        }
    }

    /// Looks at the files, and says which changed.
    fn look(&mut self) -> Vec<Source> {
        let mut changed = Vec::new();
        if let Some(contents) = self.watched_config.as_mut().and_then(Watched::changed) {
            self.config = contents;
            changed.push(Source::Config);
        }
        if let Some(contents) = self.watched_policies.as_mut().and_then(Watched::changed) {
            self.policies = contents;
            self.engine = None;
            changed.push(Source::Policies);
        }
        changed
    }

    fn written(&self) -> Result<Written, LoadError> {
        let Some(path) = &self.config_file else { return Ok(Written::default()) };
        let bytes = self
            .config
            .read(path)
            .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        Ok(Written::read(bytes).map_err(in_file(path))?)
    }

    /// The engine, and the policies that it couldn't take.
    fn engine(&mut self, written: &Written) -> Result<(Arc<Engine>, Vec<Fault>), LoadError> {
        // How many requests are judged at once is settled at the start.
        let at_once = *self.at_once.get_or_insert(written.capacity().evaluations());
        let made = (written.limits(), written.policies.clone());
        if let Some((engine, before)) = &self.engine
            && *before == made
        {
            return Ok((Arc::clone(engine), Vec::new()));
        }
        let (mut engine, faults) = engine(&self.policies, made.0, at_once)?;
        let path = self.config_file.clone().unwrap_or_default();
        configure(&mut engine, &written.policies).map_err(in_file(&path))?;
        let engine = Arc::new(engine);
        // One that lacks policies must not pass for a whole one.
        self.engine = faults.is_empty().then(|| (Arc::clone(&engine), made));
        Ok((engine, faults))
    }

    fn runtime(
        &self,
        written: Written,
        engine: Arc<Engine>,
        generation: u64,
    ) -> Result<Runtime, LoadError> {
        let path = self.config_file.clone().unwrap_or_default();
        let config = written.resolve(&engine).map_err(in_file(&path))?;
        self.metrics.policies(engine.policies().iter().map(Policy::name));
        self.metrics.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        Ok(Runtime { engine, config, generation })
    }
}

/// The built-in policies and those of a folder.
fn engine(
    policies: &Contents,
    limits: Limits,
    at_once: usize,
) -> Result<(Engine, Vec<Fault>), EngineError> {
    let at_once = u32::try_from(at_once).unwrap_or(u32::MAX);
    let cache = cache_folder().filter(|_| policies.iter().next().is_some());
    // A folder that can't be written to, as in a container, only costs time.
    let mut engine = match Engine::builtin(limits, at_once, cache.as_deref()) {
        Err(EngineError::Setup { .. }) if cache.is_some() => Engine::builtin(limits, at_once, None),
        built => built,
    }?;
    let mut faults = Vec::new();
    for (path, bytes) in policies.iter() {
        let name = path.display().to_string();
        let loaded = match bytes {
            Ok(bytes) => engine.load(&name, bytes),
            Err(error) => Err(Fault {
                policy: name,
                digest: String::new(),
                reason: format!("can't be read: {error}"),
            }),
        };
        faults.extend(loaded.err());
    }
    Ok((engine, faults))
}

/// Reads everything once, for whoever wants to know whether it is right.
///
/// # Errors
/// What is wrong, one text for each thing.
pub fn check(config: &Path, policies: Option<&Path>) -> Result<Vec<Notice>, Vec<String>> {
    let mut loader = Loader::new(Some(config), policies, Arc::new(Metrics::new()));
    let (runtime, faults) = loader.start().map_err(|error| vec![error.to_string()])?;
    if faults.is_empty() {
        Ok(runtime.config.notices(&runtime.engine, today()))
    } else {
        Err(faults.iter().map(fault_line).collect())
    }
}

/// Tells the log what is in use now.
pub fn announce(runtime: &Runtime) {
    let policies: Vec<_> = runtime
        .engine
        .policies()
        .iter()
        .map(|policy| format!("{} {} {}", policy.name(), policy.version(), policy.digest()))
        .collect();
    tracing::info!(
        generation = runtime.generation,
        policies = policies.join(", "),
        "configuration and policies are in use"
    );
    for notice in runtime.config.notices(&runtime.engine, today()) {
        tracing::warn!("configuration: {notice}");
    }
}

/// A policy that can't be used, in one line.
#[must_use]
pub fn fault_line(fault: &Fault) -> String {
    format!("the policy {}: {}", fault.policy, fault.reason)
}

/// Puts changes into use, for as long as the process runs.
pub async fn keep_loading(mut loader: Loader, live: Arc<Live>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let live = Arc::clone(&live);
        let reloading = tokio::task::spawn_blocking(move || {
            loader.reload(&live);
            loader
        });
        match reloading.await {
            Ok(back) => loader = back,
            Err(error) => {
                tracing::error!("changes are no longer looked for: {error}");
                return;
            }
        }
    }
}
