//! Runs policies in a sandbox.
//!
//! ```text
//! component bytes ─▶ Engine::load ─▶ Policy { rules, instance template }
//!                                      │  evaluate(subject, inventory)
//!                                      ▼
//!        fresh store + instance ─▶ guest ─▶ checked findings, or a fault
//! ```
//!
//! Every evaluation gets an instance of its own, so that no object can
//! influence another's verdict: a policy can't remember anything, whether by
//! mistake or on purpose. What that costs is measured in `tests/benches`; it is
//! kept low by a pooling allocator that resets memory instead of mapping it,
//! and by guests that never grow theirs.

mod bindings;
mod fault;
mod limits;
mod policy;
pub(crate) mod query;
mod rule;
mod situation;
mod ticker;
mod v1;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Cache, CacheConfig, Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig,
};

pub use self::fault::FaultReason;
pub use self::limits::{Limits, Patience};
pub use self::policy::{
    Cost, Evaluation, Operation, Origin, Place, Policy, SettingsError, Subject, Timing, Verdict,
    Version,
};
pub use self::rule::{Action, Condition, RuleInfo};
pub(crate) use self::situation::Situation;
use self::ticker::Ticker;
use self::v1::State;
use crate::finding::Fault;
use crate::raw;

/// A built-in policy, compiled ahead of time.
struct Packed {
    /// The folder's name.
    name: &'static str,
    /// Of the component, as for one that is loaded from a file.
    digest: &'static str,
    /// What wasmtime makes of the component.
    code: &'static [u8],
}

static BUILTIN: &[Packed] = &include!(concat!(env!("OUT_DIR"), "/packed.rs"));

/// The engine can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The settings don't suit this machine.
    #[error("the WebAssembly engine can't start: {reason}")]
    Setup {
        /// What wasmtime says.
        reason: String,
    },
    /// A built-in policy can't be used: too little memory, or a broken build.
    #[error("the built-in policy {policy} can't be loaded: {reason}")]
    Builtin {
        /// Its name.
        policy: &'static str,
        /// Why.
        reason: FaultReason,
    },
    /// The binary was built before the policies were.
    #[error("this headlint was built without its policies: build it with `make build`")]
    NoPolicies,
    /// No thread for the clock of the deadlines.
    #[error("no thread for the deadlines")]
    Thread(#[from] std::io::Error),
}

/// Loads policies and holds them.
pub struct Engine {
    wasmtime: wasmtime::Engine,
    linker: Linker<State>,
    limits: Limits,
    policies: Vec<Policy>,
    ticker: Arc<Ticker>,
}

impl Engine {
    /// An engine without policies that can run as many evaluations at once.
    ///
    /// External policies are compiled once and kept in the `cache` folder, by
    /// digest; without one, they are compiled every time.
    ///
    /// # Errors
    /// When the machine gives neither address space nor a thread.
    pub fn new(limits: Limits, at_once: u32, cache: Option<&Path>) -> Result<Self, EngineError> {
        let setup = |error: wasmtime::Error| EngineError::Setup { reason: format!("{error:#}") };
        let cached = |mut config: Config| -> wasmtime::Result<Config> {
            if let Some(folder) = cache {
                let mut settings = CacheConfig::new();
                settings.with_directory(folder);
                config.cache(Some(Cache::new(settings)?));
            }
            Ok(config)
        };
        let mut pooled = cached(headlint_policy_pack::config()).map_err(setup)?;
        pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(at_once)));
        // Where address space is limited (`ulimit -v`), memory is mapped for
        // each instance: slower, but the same code runs.
        let wasmtime = wasmtime::Engine::new(&pooled)
            .or_else(|_| wasmtime::Engine::new(&cached(headlint_policy_pack::config())?));
        let wasmtime = wasmtime.map_err(setup)?;
        let mut linker = Linker::new(&wasmtime);
        v1::add_to_linker(&mut linker).map_err(setup)?;
        let ticker = Arc::new(Ticker::start(&wasmtime, limits.tick)?);
        Ok(Self { wasmtime, linker, limits, policies: Vec::new(), ticker })
    }

    /// An engine with the built-in policies.
    ///
    /// # Errors
    /// As [`Engine::new`], and when a built-in policy can't be loaded.
    pub fn builtin(
        limits: Limits,
        at_once: u32,
        cache: Option<&Path>,
    ) -> Result<Self, EngineError> {
        if BUILTIN.is_empty() {
            return Err(EngineError::NoPolicies);
        }
        let mut engine = Self::new(limits, at_once, cache)?;
        for packed in BUILTIN {
            // SAFETY: the bytes are wasmtime's own output, made by our build
            // and part of this binary; wasmtime checks that its version and
            // settings are the same.
            #[allow(unsafe_code)]
            let component = unsafe { Component::deserialize(&engine.wasmtime, packed.code) };
            let loaded = component
                .map_err(|error| FaultReason::Unusable(format!("{error:#}")))
                .and_then(|component| engine.admit(&component, packed.digest.to_owned()));
            loaded.map_err(|reason| EngineError::Builtin { policy: packed.name, reason })?;
        }
        Ok(engine)
    }

    /// Adds a policy from a file's bytes: a component, or a core module that
    /// carries its WIT world. `file` stands for its name until it has told it.
    ///
    /// # Errors
    /// A fault that says why it can't be used. The engine goes on without it.
    pub fn load(&mut self, file: &str, bytes: &[u8]) -> Result<(), Fault> {
        let digest = format!("sha256:{:x}", Sha256::digest(bytes));
        self.compile(bytes)
            .and_then(|component| self.admit(&component, digest.clone()))
            .map_err(|reason| Fault { policy: file.to_owned(), digest, reason: reason.to_string() })
    }

    fn compile(&self, bytes: &[u8]) -> Result<Component, FaultReason> {
        let component = headlint_policy_pack::component(bytes)
            .map_err(|error| FaultReason::NoComponent(format!("{error:#}")))?;
        Component::new(&self.wasmtime, &component)
            .map_err(|error| FaultReason::NoComponent(format!("{error:#}")))
    }

    fn admit(&mut self, component: &Component, digest: String) -> Result<(), FaultReason> {
        let policy = Policy::new(
            &self.wasmtime,
            &self.linker,
            component,
            digest,
            self.limits,
            Arc::clone(&self.ticker),
        )?;
        // Findings name their policy and rule, whether it runs in here or not.
        if policy.name() == raw::POLICY {
            return Err(FaultReason::Clash(format!("the policy name `{}`", policy.name())));
        }
        for rule in policy.rules() {
            if raw::rules().iter().any(|known| known.id == rule.id) {
                return Err(FaultReason::Clash(format!("the rule id `{}`", rule.id)));
            }
        }
        for other in &self.policies {
            if other.name() == policy.name() {
                return Err(FaultReason::Clash(format!("the policy name `{}`", policy.name())));
            }
            for rule in policy.rules() {
                if other.rules().iter().any(|known| known.id == rule.id) {
                    return Err(FaultReason::Clash(format!("the rule id `{}`", rule.id)));
                }
            }
        }
        self.policies.push(policy);
        self.policies.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(())
    }

    /// Gives the policy of that name its settings, as JSON, if it accepts them.
    ///
    /// # Errors
    /// When it refuses them. It goes on with what it had.
    ///
    /// # Panics
    /// When there is no such policy.
    pub fn set_settings(&mut self, policy: &str, settings: &str) -> Result<(), SettingsError> {
        let found = self.policies.iter_mut().find(|one| one.name() == policy);
        found.expect("the policy is one of the engine's").set_settings(settings)
    }

    /// The policies, ordered by name.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// All rules, each with the name of its policy, ordered by id: those of the
    /// policies, and those about text, which belong to no component.
    #[must_use]
    pub fn rules(&self) -> Vec<(&str, &RuleInfo)> {
        let mut rules: Vec<_> = self
            .policies
            .iter()
            .flat_map(|policy| policy.rules().iter().map(|rule| (policy.name(), rule)))
            .chain(raw::rules().iter().map(|rule| (raw::POLICY, rule)))
            .collect();
        rules.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
        rules
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("policies", &self.policies).finish_non_exhaustive()
    }
}

/// The folder for compiled external policies: `$XDG_CACHE_HOME/headlint/policies`,
/// or the same below `$HOME/.cache`; none where neither is set. Nothing else may be
/// in it: wasmtime deletes whatever is oldest there when it grows too large.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".cache")))
        .map(|base| base.join("headlint/policies"))
}

/// Slots for so many evaluations at once.
fn pool(at_once: u32) -> PoolingAllocationConfig {
    // A slot remembers the memory of the policy that ran in it last. Another
    // policy has to map its own in its place, and to fault in every page that
    // it touches, so that each policy gets slots of its own.
    const POLICIES: u32 = 16;
    // wit-component wraps a guest in two small modules that adapt calls; a
    // guest that came through an adapter has a few more.
    const MODULES: u32 = 10;
    // More than a machine runs at once would only reserve address space.
    let at_once = at_once.min(1024);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(at_once)
        .total_core_instances(at_once * MODULES)
        .max_core_instances_per_component(MODULES)
        .total_memories(at_once * POLICIES)
        .max_memories_per_component(1)
        .total_tables(at_once * MODULES)
        .max_tables_per_component(MODULES)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .max_memory_size(headlint_policy_pack::MEMORY_LIMIT)
        .table_elements(limits::TABLE_ELEMENTS)
        // What a built-in guest touches is cleared in place, instead of being
        // given back to the system and faulted in again.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        .max_unused_warm_slots(at_once * POLICIES)
        // Where the kernel tells which pages were touched (Linux 6.7), only
        // those are cleared.
        .pagemap_scan(Enabled::Auto);
    pool
}
