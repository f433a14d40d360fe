//! What a policy is: a name and some rules.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::bindings::host;
use crate::bindings::wire;
pub use crate::bindings::wire::{Action, Operation, Operations, Origin, SettingsError};
use crate::context::{Context, Version};
use crate::finding::Findings;
use crate::types::{Endpoints, Metadata, NetworkPolicy, Object, Service, Workload};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// A hint: shown on request, never fails a run by default.
    Info,
    /// Something that hurts a client in some situation.
    Warning,
    /// Something that can't work.
    Error,
}

impl Severity {
    /// One step less: what only a test on demand suffers from.
    #[must_use]
    pub fn weaker(self) -> Self {
        match self {
            Self::Error => Self::Warning,
            Self::Warning | Self::Info => Self::Info,
        }
    }
}

impl From<Severity> for wire::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warning,
            Severity::Error => Self::Error,
        }
    }
}

impl From<wire::Severity> for Severity {
    fn from(severity: wire::Severity) -> Self {
        match severity {
            wire::Severity::Info => Self::Info,
            wire::Severity::Warning => Self::Warning,
            wire::Severity::Error => Self::Error,
        }
    }
}

/// What the host can tell of an object before a policy is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is a Service with `clusterIP: None`.
    Headless,
    /// It is a Service without a selector.
    Selectorless,
    /// It is a Service, and [`Context::workloads_naming`] finds something.
    Governing,
    /// [`Context::references`] has some.
    Refers,
    /// One of these texts is in it as it is written: a key, or a part of a value, of
    /// ASCII letters, digits and `-._/`. Where the host isn't sure, it holds.
    Has(&'static [&'static str]),
}

impl From<&Condition> for wire::Condition {
    fn from(condition: &Condition) -> Self {
        match condition {
            Condition::Headless => Self::Headless,
            Condition::Selectorless => Self::Selectorless,
            Condition::Governing => Self::Governing,
            Condition::Refers => Self::Refers,
            Condition::Has(texts) => Self::Has(texts.iter().map(|&it| it.to_owned()).collect()),
        }
    }
}

/// The unit of documentation, severity, ignoring and testing.
#[derive(Debug)]
pub struct Rule {
    /// Kebab-case, naming the defect. Never reused.
    pub id: &'static str,
    /// The usual severity.
    pub severity: Severity,
    /// What admission does with a finding when nothing is configured.
    pub action: Action,
    /// Whether it runs without being enabled by name.
    pub default_on: bool,
    /// Whether an object that is applied later can heal its findings.
    pub heals_later: bool,
    /// The kinds of the objects that it reports on.
    pub kinds: &'static [&'static str],
    /// What may happen to such an object: [`WRITTEN`] for most rules.
    pub operations: Operations,
    /// What it finds nothing without. Where one of them doesn't hold, the rule isn't
    /// asked, and a policy none of whose rules are asked isn't started.
    pub only_if: &'static [Condition],
    /// One line.
    pub summary: &'static str,
    /// Markdown; its first heading is the id.
    pub documentation: &'static str,
    /// Looks at one object of one of the kinds.
    pub check: fn(&Review, &Context, &mut Findings),
}

/// The object gets this version. One in a file is created.
pub const WRITTEN: Operations = Operations::CREATE.union(Operations::UPDATE);

/// Kinds of objects that are Pods, or make some.
pub const MAKES_PODS: &[&str] = &[
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Job",
    "Pod",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// Kinds of objects whose texts may name a Service.
pub const NAME_SERVICES: &[&str] = &[
    "ConfigMap",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Ingress",
    "Job",
    "Pod",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// One object under review.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// JSON that the policy has accepted.
    pub settings: String,
    /// The object; for a DELETE its last version.
    pub object: Object,
    /// The version before an UPDATE; none otherwise.
    pub old: Option<Object>,
    /// What happens to the object.
    pub operation: Operation,
    /// At which door.
    pub origin: Origin,
}

impl Review {
    /// The settings, as a type that [`check_settings`] has checked.
    ///
    /// # Panics
    /// When they are none of that type: a policy checks what it reads.
    #[must_use]
    pub fn settings_as<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.settings).expect("the policy has checked its settings")
    }

    /// The object, if it is a Service.
    #[must_use]
    pub fn service(&self) -> Option<&Service> {
        match &self.object {
            Object::Service(service) => Some(service),
            _ => None,
        }
    }

    /// The version before an UPDATE, if it is a Service.
    #[must_use]
    pub fn old_service(&self) -> Option<&Service> {
        match &self.old {
            Some(Object::Service(service)) => Some(service),
            _ => None,
        }
    }

    /// The object, if it is a Pod or makes Pods.
    #[must_use]
    pub fn workload(&self) -> Option<&Workload> {
        match &self.object {
            Object::Workload(workload) => Some(workload),
            _ => None,
        }
    }

    /// The object, if it is an Endpoints object or an EndpointSlice.
    #[must_use]
    pub fn endpoints(&self) -> Option<&Endpoints> {
        match &self.object {
            Object::Endpoints(endpoints) => Some(endpoints),
            _ => None,
        }
    }

    /// The object, if it is a NetworkPolicy.
    #[must_use]
    pub fn network_policy(&self) -> Option<&NetworkPolicy> {
        match &self.object {
            Object::NetworkPolicy(policy) => Some(policy),
            _ => None,
        }
    }

    /// What the object is, whatever kind it has.
    #[must_use]
    pub fn meta(&self) -> &Metadata {
        match &self.object {
            Object::Service(service) => &service.meta,
            Object::Workload(workload) => &workload.meta,
            Object::Endpoints(endpoints) => &endpoints.meta,
            Object::NetworkPolicy(policy) => &policy.meta,
            Object::Other(meta) => meta,
        }
    }
}

/// Makes a component of rules.
///
/// `settings_schema` and `check_settings` may be left out by a policy that
/// has no settings; one that has some may use [`check_settings`].
#[macro_export]
macro_rules! policy {
    (name: $name:literal, rules: [$($rule:expr),+ $(,)?] $(,)?) => {
        $crate::policy! {
            name: $name,
            settings_schema: r#"{"type":"object","additionalProperties":false}"#,
            check_settings: $crate::export::check_no_settings,
            rules: [$($rule),+],
        }
    };
    (
        name: $name:literal,
        settings_schema: $schema:expr,
        check_settings: $check:expr,
        rules: [$($rule:expr),+ $(,)?] $(,)?
    ) => {
        /// The rules of this policy.
        pub static RULES: &[&$crate::Rule] = &[$(&$rule),+];

        /// JSON Schema of the settings of this policy.
        pub const SETTINGS_SCHEMA: &str = $schema;

        /// Checks settings, given as JSON.
        ///
        /// # Errors
        /// Says what is wrong with them.
        pub fn check_settings(settings: &str) -> Result<(), $crate::SettingsError> {
            $check(settings)
        }

        #[cfg(target_family = "wasm")]
        mod component {
            #[global_allocator]
            static ARENA: $crate::export::Arena = $crate::export::Arena::new();

            struct Component;

            impl $crate::export::Guest for Component {
                fn describe() -> $crate::export::wire::Description {
                    $crate::export::describe(
                        $name,
                        env!("CARGO_PKG_VERSION"),
                        super::SETTINGS_SCHEMA,
                        super::RULES,
                    )
                }

                fn check_settings(
                    settings: String,
                ) -> Result<(), $crate::export::wire::SettingsError> {
                    super::check_settings(&settings)
                }

                fn evaluate(
                    review: $crate::export::wire::Review,
                ) -> Vec<$crate::export::wire::Finding> {
                    $crate::export::evaluate(super::RULES, review)
                }
            }

            $crate::export::export!(Component with_types_in $crate::export::generated);
        }
    };
}

/// The settings check of a policy whose settings are a type of its own, with
/// defaults for what may be left out.
///
/// # Errors
/// Names the key on the way to which something is wrong, and says what.
pub fn check_settings<T: DeserializeOwned>(settings: &str) -> Result<(), SettingsError> {
    let mut json = serde_json::Deserializer::from_str(settings);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Ok(_) => Ok(()),
        Err(error) => {
            let key = error.path().iter().find_map(|segment| match segment {
                Segment::Map { key } => Some(key.clone()),
                _ => None,
            });
            // Line and column are those of the JSON, which nobody wrote.
            let message = error.inner().to_string();
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            Err(SettingsError { key: key.unwrap_or_default(), message })
        }
    }
}

/// The settings check of a policy that has none.
///
/// # Errors
/// Names the first key, or says that it isn't an object.
pub fn check_no_settings(settings: &str) -> Result<(), SettingsError> {
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(settings) {
        Ok(map) => match map.keys().next() {
            None => Ok(()),
            Some(key) => Err(SettingsError {
                key: key.clone(),
                message: format!("unknown key `{key}`: this policy has no settings"),
            }),
        },
        Err(error) => Err(SettingsError {
            key: String::new(),
            message: format!("the settings are no JSON object: {error}"),
        }),
    }
}

/// What a policy says of itself.
#[must_use]
pub fn describe(
    name: &str,
    version: &str,
    settings_schema: &str,
    rules: &[&Rule],
) -> wire::Description {
    wire::Description {
        name: name.to_owned(),
        version: version.to_owned(),
        rules: rules
            .iter()
            .map(|rule| wire::Rule {
                id: rule.id.to_owned(),
                severity: rule.severity.into(),
                action: rule.action,
                default_on: rule.default_on,
                heals_later: rule.heals_later,
                kinds: rule.kinds.iter().map(|&kind| kind.to_owned()).collect(),
                operations: rule.operations,
                only_if: rule.only_if.iter().map(wire::Condition::from).collect(),
                summary: rule.summary.to_owned(),
                documentation: rule.documentation.to_owned(),
            })
            .collect(),
        settings_schema: settings_schema.to_owned(),
    }
}

/// Runs the rules that are asked.
#[must_use]
pub fn evaluate(rules: &[&Rule], review: wire::Review) -> Vec<wire::Finding> {
    let mut findings = Findings::default();
    let Some(object) = host::reviewed(Version::New) else { return findings.list };
    let wire::Review { rules: asked, settings, operation, origin } = review;
    let old = match operation {
        Operation::Update => host::reviewed(Version::Old),
        Operation::Create | Operation::Delete => None,
    };
    let review = Review { settings, object, old, operation, origin };
    let context = Context::default();
    for rule in asked.iter().filter_map(|at| rules.get(*at as usize)) {
        (rule.check)(&review, &context, &mut findings);
    }
    findings.list
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Settings {
        label: String,
        limits: Limits,
    }

    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Limits {
        most: u32,
    }

    impl Default for Settings {
        fn default() -> Self {
            Self { label: "team".to_owned(), limits: Limits { most: 3 } }
        }
    }

    #[test]
    fn settings_are_checked_by_their_type() {
        for (settings, key, message) in [
            (r#"{"lable": "x"}"#, "lable", "unknown field `lable`, expected `label` or `limits`"),
            (r#"{"label": 1}"#, "label", "invalid type: integer `1`, expected a string"),
            (r#"{"limits": {"most": -1}}"#, "limits", "invalid value: integer `-1`, expected u32"),
            ("\"red\"", "", "invalid type: string \"red\", expected struct Settings"),
        ] {
            let Err(error) = check_settings::<Settings>(settings) else { panic!("{settings}") };
            assert_eq!((error.key.as_str(), error.message.as_str()), (key, message));
        }
        assert!(check_settings::<Settings>("{}").is_ok());
        let settings: Settings = serde_json::from_str(r#"{"label": "owner"}"#).expect("JSON");
        assert_eq!((settings.label.as_str(), settings.limits.most), ("owner", 3));
    }
}
