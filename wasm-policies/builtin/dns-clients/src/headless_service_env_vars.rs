//! Variables that the kubelet sets for Services with a cluster IP only.

use headlint_policy_sdk::service::{has, headless};
use headlint_policy_sdk::types::{ByteRange, Traits};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, MAKES_PODS, Review, Rule, Severity, WRITTEN,
};

use crate::texts::{Container, Text, containers};

/// The rule.
pub const RULE: Rule = Rule {
    id: "headless-service-env-vars",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: MAKES_PODS,
    operations: WRITTEN,
    only_if: &[Condition::Has(&["_SERVICE_HOST", "_SERVICE_PORT"])],
    summary: "a container uses the variables of a headless Service, and there are none",
    documentation: include_str!("headless-service-env-vars.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(workload) = review.workload() else { return };
    if has(&workload.meta, Traits::DELETING) {
        return;
    }
    let namespace = &workload.meta.ref_.namespace;
    for container in containers(workload, context) {
        if container.has_others() {
            continue;
        }
        for text in container.texts() {
            let used = used(text.value).into_iter().find_map(|(variable, range)| {
                let name = service_of(variable)?;
                let known = is_set(&container, &text, variable);
                let service = context.service(namespace, &name).found()?;
                (!known && headless(&service)).then_some((variable, range, service))
            });
            let Some((variable, range, service)) = used else { continue };
            let name = &service.meta.ref_.name;
            findings.add(
                Finding::new(&RULE, text.path.as_str())
                    .range(Some(range))
                    .what(format!(
                        "`$({variable})` is used, but Service `{name}` is headless, and there are \
                        no variables for it"
                    ))
                    .why(format!(
                        "the kubelet sets them for Services with a cluster IP: the process gets \
                        the text `$({variable})` itself"
                    ))
                    .help(format!("dial `{name}` by its name"))
                    .related(&service.meta.ref_, "$.spec.clusterIP", "this Service is headless"),
            );
        }
    }
}

/// The variables that stand in a text as `$(NAME)`, and where.
///
/// # Source
/// kubernetes v1.36 `third_party/forked/golang/expansion/expand.go`: `$$` is a
/// dollar.
fn used(text: &str) -> Vec<(&str, ByteRange)> {
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(at) = text[rest..].find('$').map(|at| rest + at) {
        match text.as_bytes().get(at + 1) {
            Some(b'(') => {
                let Some(length) = text[at..].find(')') else { break };
                let end = at + length;
                let range = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                found.push((
                    &text[at + 2..end],
                    ByteRange { start: range(at), end: range(end + 1) },
                ));
                rest = end + 1;
            }
            Some(b'$') => rest = at + 2,
            _ => rest = at + 1,
        }
    }
    found
}

/// The Service that a variable would be about.
///
/// # Source
/// kubernetes v1.36 `pkg/kubelet/envvars/envvars.go` (`FromServices`,
/// `makeEnvVariableName`).
fn service_of(variable: &str) -> Option<String> {
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !variable.bytes().all(upper) {
        return None;
    }
    let name = variable.strip_suffix("_SERVICE_HOST").or_else(|| {
        let (name, port) = variable.rsplit_once("_SERVICE_PORT")?;
        (port.is_empty() || port.starts_with('_')).then_some(name)
    })?;
    Some(name.to_ascii_lowercase().replace('_', "-"))
}

/// Whether the manifest sets a variable: one of those before another, any of
/// them for the command.
fn is_set(container: &Container, text: &Text<'_>, variable: &str) -> bool {
    container.variables(text.variables).any(|name| name == variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_those_that_the_kubelet_would_replace() {
        let names = |text| used(text).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(
            names("http://$(DB_SERVICE_HOST):$(DB_SERVICE_PORT)/"),
            ["DB_SERVICE_HOST", "DB_SERVICE_PORT"]
        );
        assert_eq!(names("$$(DB_SERVICE_HOST) $DB_SERVICE_HOST ${DB_SERVICE_HOST}"), [""; 0]);
        assert_eq!(names("$(DB_SERVICE_HOST"), [""; 0]);
    }

    #[test]
    fn a_variable_is_about_one_service() {
        let name = |variable| service_of(variable);
        assert_eq!(name("MY_DB_SERVICE_HOST").as_deref(), Some("my-db"));
        assert_eq!(name("MY_DB_SERVICE_PORT_SQL").as_deref(), Some("my-db"));
        assert_eq!(name("MY_DB_SERVICE_PORTS"), None);
        assert_eq!(name("MY_DB_HOST"), None);
    }
}
