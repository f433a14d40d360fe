//! Rule `yaml-number-port-surprise`.

use std::collections::BTreeSet;

use super::{Defect, Judged, Rule};
use crate::finding::{Edit, EditOp, Safety, Severity};
use crate::k8s::Kind;
use crate::manifest::{Node, Style};
use crate::model::decode::{Step, path};
use crate::model::{Object, template};

/// A port is written in a form that YAML reads in its own way.
pub(super) const RULE: Rule = Rule {
    id: "yaml-number-port-surprise",
    severity: Severity::Warning,
    kinds: || {
        vec![
            "APIService",
            "CronJob",
            "CustomResourceDefinition",
            "DaemonSet",
            "Deployment",
            "EndpointSlice",
            "Endpoints",
            "Ingress",
            "Job",
            "MutatingWebhookConfiguration",
            "NetworkPolicy",
            "Pod",
            "ReplicaSet",
            "ReplicationController",
            "Service",
            "StatefulSet",
            "ValidatingWebhookConfiguration",
        ]
    },
    summary: "a port is written so that YAML may read another number",
    documentation: include_str!("yaml-number-port-surprise.md"),
    check,
};

/// Where a kind has ports, apart from containers. `[]` is any index.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/`.
fn ports(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::ApiService => &["spec.service.port"],
        Kind::CustomResourceDefinition => &["spec.conversion.webhook.clientConfig.service.port"],
        Kind::EndpointSlice => &["ports[].port"],
        Kind::Endpoints => &["subsets[].ports[].port"],
        Kind::Ingress => &[
            "spec.defaultBackend.service.port.number",
            "spec.rules[].http.paths[].backend.service.port.number",
        ],
        Kind::MutatingWebhookConfiguration | Kind::ValidatingWebhookConfiguration => {
            &["webhooks[].clientConfig.service.port"]
        }
        Kind::NetworkPolicy => &[
            "spec.ingress[].ports[].port",
            "spec.ingress[].ports[].endPort",
            "spec.egress[].ports[].port",
            "spec.egress[].ports[].endPort",
        ],
        Kind::Service => &[
            "spec.ports[].port",
            "spec.ports[].targetPort",
            "spec.ports[].nodePort",
            "spec.healthCheckNodePort",
        ],
        Kind::ConfigMap
        | Kind::CronJob
        | Kind::DaemonSet
        | Kind::Deployment
        | Kind::HorizontalPodAutoscaler
        | Kind::Job
        | Kind::Pod
        | Kind::ReplicaSet
        | Kind::ReplicationController
        | Kind::Secret
        | Kind::StatefulSet => &[],
    }
}

/// Below the object that holds `metadata` and `spec` of Pods.
const CONTAINERS: [&str; 3] =
    ["spec.containers[]", "spec.initContainers[]", "spec.ephemeralContainers[]"];

/// Below a container.
const CONTAINER_PORTS: [&str; 15] = [
    "ports[].containerPort",
    "ports[].hostPort",
    "livenessProbe.httpGet.port",
    "livenessProbe.tcpSocket.port",
    "livenessProbe.grpc.port",
    "readinessProbe.httpGet.port",
    "readinessProbe.tcpSocket.port",
    "readinessProbe.grpc.port",
    "startupProbe.httpGet.port",
    "startupProbe.tcpSocket.port",
    "startupProbe.grpc.port",
    "lifecycle.postStart.httpGet.port",
    "lifecycle.postStart.tcpSocket.port",
    "lifecycle.preStop.httpGet.port",
    "lifecycle.preStop.tcpSocket.port",
];

fn check(judged: &Judged<'_>) -> Vec<Defect> {
    let root = &judged.manifest.root;
    let mut defects = Vec::new();
    // An alias leads to the token of its anchor, which is one defect.
    let mut seen = BTreeSet::new();
    let mut visit = |node: &Node, steps: &mut Vec<Step<'_>>| {
        if let Some(defect) = defect(judged, node, steps)
            && seen.insert(node.span)
        {
            defects.push(defect);
        }
    };
    for pattern in ports(judged.kind) {
        follow(root, pattern, &mut Vec::new(), &mut visit);
    }
    if let Ok(Some((pods, _))) = template(root, judged.kind) {
        let pods = pods.trim_start_matches(['$', '.']);
        follow(root, pods, &mut Vec::new(), &mut |pod, steps| {
            for containers in CONTAINERS {
                follow(pod, containers, steps, &mut |container, steps| {
                    for pattern in CONTAINER_PORTS {
                        follow(container, pattern, steps, &mut visit);
                    }
                });
            }
        });
    }
    defects
}

/// Visits what a pattern of keys leads to; `[]` behind a key is each item.
fn follow<'n>(
    node: &'n Node,
    pattern: &'n str,
    steps: &mut Vec<Step<'n>>,
    visit: &mut dyn FnMut(&'n Node, &mut Vec<Step<'n>>),
) {
    if pattern.is_empty() {
        return visit(node, steps);
    }
    let (step, rest) = pattern.split_once('.').unwrap_or((pattern, ""));
    let key = step.trim_end_matches("[]");
    let Some(child) = node.get(key) else { return };
    steps.push(Step::Key(key));
    if key == step {
        follow(child, rest, steps, visit);
    } else {
        for (index, item) in child.as_sequence().unwrap_or_default().iter().enumerate() {
            steps.push(Step::Index(index));
            follow(item, rest, steps, visit);
            steps.pop();
        }
    }
    steps.pop();
}

fn defect(judged: &Judged<'_>, node: &Node, steps: &[Step<'_>]) -> Option<Defect> {
    let number = node.as_i64().filter(|_| node.style == Style::Plain)?;
    let text = judged.manifest.document.source().text.get(node.span.range())?;
    let form = Form::of(text)?;
    let [.., Step::Key(field)] = steps else { return None };
    if is_refused(judged, field, number) {
        return None;
    }
    let path = path(steps);
    let decimal: Option<i64> = text.parse().ok();
    let decimal = decimal.filter(|decimal| *decimal != number && (1..=65535).contains(decimal));
    let why = match form {
        Form::Octal => match decimal {
            Some(decimal) => format!("Kubernetes works with port {number}, not with {decimal}"),
            None => format!("Kubernetes works with port {number}; with one more digit, 010 is 8"),
        },
        Form::Hexadecimal => {
            format!(
                "commands and logs say {number}, and who searches for that doesn't find it here"
            )
        }
        Form::Float => format!(
            "kubectl sends {number}; other readers of YAML send a float or a string, which the API server refuses"
        ),
        Form::ZeroBeforeDecimal | Form::ExplicitOctal | Form::Binary | Form::Underscore => {
            format!("kubectl and Helm read {number}, but to other readers of YAML it is a string")
        }
    };
    Some(Defect {
        severity: RULE.severity,
        span: node.span,
        what: format!("`{field}: {text}` of {} is port {number}: {}", judged.name(), form.reason()),
        why,
        help: match decimal {
            Some(decimal) => format!("write {decimal} if that was meant, otherwise {number}"),
            None => format!("write {number}"),
        },
        related: Vec::new(),
        edit: Some(Edit {
            op: EditOp::Set,
            path: path.to_string(),
            value: Some(number.into()),
            safety: Safety::Proposed,
        }),
        path,
    })
}

/// Whether rule `port-list-invalid` speaks about this very number.
fn is_refused(judged: &Judged<'_>, field: &str, number: i64) -> bool {
    let Object::Service(service) = &judged.projected.object else { return false };
    match field {
        "port" => !(1..=65535).contains(&number),
        "targetPort" => !(0..=65535).contains(&number),
        "nodePort" => number != 0 && service.service_type == "ClusterIP",
        _ => false,
    }
}

/// What is odd about how an integer is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// `010`
    Octal,
    /// `0o10`
    ExplicitOctal,
    /// `080`: no octal number, and so a decimal one.
    ZeroBeforeDecimal,
    /// `0x50`
    Hexadecimal,
    /// `0b1010000`
    Binary,
    /// `8_080`
    Underscore,
    /// `8e1`, `80.0`
    Float,
}

impl Form {
    /// None where the text is a usual decimal number.
    fn of(text: &str) -> Option<Self> {
        let digits = text.trim_start_matches(['+', '-']);
        let has = |characters: &[char]| digits.contains(characters);
        Some(match digits.as_bytes() {
            [b'0', b'x' | b'X', ..] => Self::Hexadecimal,
            [b'0', b'o' | b'O', ..] => Self::ExplicitOctal,
            [b'0', b'b' | b'B', ..] => Self::Binary,
            _ if has(&['.', 'e', 'E']) => Self::Float,
            [b'0', _, ..] if has(&['8', '9']) => Self::ZeroBeforeDecimal,
            [b'0', _, ..] => Self::Octal,
            _ if has(&['_']) => Self::Underscore,
            _ => return None,
        })
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Octal => "a leading zero makes an octal number of it",
            Self::ExplicitOctal => "`0o` makes an octal number of it",
            Self::ZeroBeforeDecimal => {
                "its leading zero would make an octal number of it, but 8 and 9 are no octal digits"
            }
            Self::Hexadecimal => "`0x` makes a hexadecimal number of it",
            Self::Binary => "`0b` makes a binary number of it",
            Self::Underscore => "underscores between digits are left out",
            Self::Float => "it is a float, and only its fraction of zero makes an integer of it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_told_by_its_text() {
        for (text, form) in [
            ("80", None),
            ("0", None),
            ("+80", None),
            ("-1", None),
            ("00", Some(Form::Octal)),
            ("010", Some(Form::Octal)),
            ("-010", Some(Form::Octal)),
            ("0_10", Some(Form::Octal)),
            ("080", Some(Form::ZeroBeforeDecimal)),
            ("0o10", Some(Form::ExplicitOctal)),
            ("0x1e", Some(Form::Hexadecimal)),
            ("0b1", Some(Form::Binary)),
            ("8_080", Some(Form::Underscore)),
            ("8e1", Some(Form::Float)),
            ("080.0", Some(Form::Float)),
        ] {
            assert_eq!(Form::of(text), form, "{text}");
        }
    }
}
