//! What policies are told of the place that they work in.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Keyed, Problem, nearest};
use crate::engine::{Engine, SettingsError};

/// What is said to one policy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Policy")]
pub struct WrittenPolicy {
    /// Its settings; the policy itself says which it takes.
    #[serde(default)]
    pub settings: Keyed<Value>,
}

/// What is said to each policy, by its name.
pub type WrittenPolicies = Keyed<WrittenPolicy>;

/// Gives the policies of an engine their settings, and asks them whether they
/// take them.
///
/// # Errors
/// The first policy that there isn't, or that refuses what it is given.
pub fn configure(engine: &mut Engine, written: &WrittenPolicies) -> Result<(), Problem> {
    for (name, policy) in &written.0 {
        let known: Vec<_> = engine.policies().iter().map(|policy| policy.name()).collect();
        if !known.contains(&name.value.as_str()) {
            let hint = match nearest(&name.value, known.iter().copied()) {
                Some(nearest) => format!(": did you mean `{nearest}`?"),
                None => format!(": there are {}", known.join(", ")),
            };
            let message = format!("there is no policy `{}`{hint}", name.value);
            return Err(Problem::at(name.referenced, message));
        }
        let entries = policy.settings.0.iter();
        let settings: Map<_, _> =
            entries.map(|(key, value)| (key.value.clone(), value.clone())).collect();
        let refused = engine.set_settings(&name.value, &Value::Object(settings).to_string());
        refused.map_err(|error| {
            let at = match &error {
                SettingsError::Refused { key, .. } => {
                    policy.settings.0.iter().find(|(written, _)| written.value == *key)
                }
                SettingsError::Failed(_) => None,
            };
            let at = at.map_or(name.referenced, |(key, _)| key.referenced);
            Problem::at(at, format!("the policy `{}` {error}", name.value))
        })?;
    }
    Ok(())
}
