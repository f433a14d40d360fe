//! The strings of a workload's containers.

use headlint_policy_sdk::types::Workload;
use headlint_policy_sdk::{Context, Version};
use serde_json::Value;

/// A container, as its manifest has it.
pub(crate) struct Container {
    path: String,
    json: Value,
}

/// A string that the container's process gets.
pub(crate) struct Text<'c> {
    /// JSONPath in the workload.
    pub(crate) path: String,
    pub(crate) value: &'c str,
    /// How many variables of the container stand before it.
    pub(crate) variables: usize,
}

/// The containers of a workload.
pub(crate) fn containers(workload: &Workload, context: &Context) -> Vec<Container> {
    let Some(json) = context.raw(Version::New) else { return Vec::new() };
    let Ok(json) = serde_json::from_str::<Value>(&json) else { return Vec::new() };
    let template = &workload.template.path;
    let steps = template.split('.').skip(1).chain(["spec"]);
    let Some(spec) = steps.into_iter().try_fold(&json, |node, key| node.get(key)) else {
        return Vec::new();
    };
    let lists = ["initContainers", "containers"];
    let of = |list| {
        let entries = spec.get(list).and_then(Value::as_array).into_iter().flatten();
        entries.enumerate().map(move |(index, json)| Container {
            path: format!("{template}.spec.{list}[{index}]"),
            json: json.clone(),
        })
    };
    lists.into_iter().flat_map(of).collect()
}

impl Container {
    /// What its process gets: values of variables, the command and its arguments.
    pub(crate) fn texts(&self) -> Vec<Text<'_>> {
        let variables = self.list("env");
        let values = variables.iter().enumerate().filter_map(|(index, variable)| {
            let value = variable.get("value")?.as_str()?;
            let path = format!("{}.env[{index}].value", self.path);
            Some(Text { path, value, variables: index })
        });
        let all = variables.len();
        let words = ["command", "args"].into_iter().flat_map(|key| {
            self.list(key).iter().enumerate().filter_map(move |(index, word)| {
                let path = format!("{}.{key}[{index}]", self.path);
                Some(Text { path, value: word.as_str()?, variables: all })
            })
        });
        values.chain(words).collect()
    }

    /// The names of its first variables.
    pub(crate) fn variables(&self, count: usize) -> impl Iterator<Item = &str> {
        let names = self.list("env").iter().take(count);
        names.filter_map(|variable| variable.get("name")?.as_str())
    }

    /// Whether it gets variables that don't stand in it.
    pub(crate) fn has_others(&self) -> bool {
        !self.list("envFrom").is_empty()
    }

    fn list(&self, key: &str) -> &[Value] {
        self.json.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}
