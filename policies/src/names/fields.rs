//! Fields that hold text with names in it.

use std::collections::HashMap;

use super::{Form, Sites, Target, expand, scan};
use crate::k8s::Kind;
use crate::manifest::Node;
use crate::model::{ByteRange, Decoded, Fields, IntOrString, ObjectRef, port, template};

/// Keys of a ConfigMap, or their ends, in lower case, whose text is read by
/// people or browsers.
const FOR_PEOPLE: &[&str] = &[
    ".adoc",
    ".css",
    ".html",
    ".markdown",
    ".md",
    ".rst",
    "changelog",
    "license",
    "notes.txt",
    "readme",
];

pub(super) fn collect<'n>(
    root: &'n Node,
    object: &ObjectRef,
    kind: Option<Kind>,
    sites: &mut Sites<'n>,
) -> Decoded<'n, ()> {
    match kind {
        Some(Kind::ConfigMap) => files(root, "data", sites),
        Some(Kind::Secret) => files(root, "stringData", sites),
        Some(Kind::Service) => external_name(root, sites),
        Some(Kind::Ingress) => auth_url(root, sites),
        Some(kind) => match template(root, kind)? {
            Some((_, Some(template))) => pod(template, &object.namespace, sites),
            _ => Ok(()),
        },
        None => Ok(()),
    }
}

fn files<'n>(root: &'n Node, field: &str, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    for (key, node, text) in root.text_map(field)? {
        let lower = key.to_ascii_lowercase();
        if !FOR_PEOPLE.iter().any(|end| lower.ends_with(end)) {
            sites.scan(node, key, text, &HashMap::new());
        }
    }
    Ok(())
}

/// The one annotation of an Ingress whose URL the controller dials itself; the
/// others are for browsers.
///
/// # Source
/// ingress-nginx `docs/user-guide/nginx-configuration/annotations.md`.
fn auth_url<'n>(root: &'n Node, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    const KEY: &str = "nginx.ingress.kubernetes.io/auth-url";
    let Some(meta) = root.object("metadata")? else { return Ok(()) };
    for (key, node, text) in meta.text_map("annotations")? {
        if key == KEY {
            sites.scan(node, key, text, &HashMap::new());
        }
    }
    Ok(())
}

/// Nothing searches for the target of a CNAME: only a full name can be one of a
/// Service.
fn external_name<'n>(root: &'n Node, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    let Some(spec) = root.object("spec")? else { return Ok(()) };
    if let (Some("ExternalName"), Some(host)) = (spec.text("type")?, spec.filled("externalName")?)
        && host.contains(".svc")
        && let Some(node) = spec.get("externalName")
    {
        sites.add(
            node,
            Target::Host {
                host: host.to_owned(),
                port: None,
                scheme: String::new(),
                srv: false,
                form: Form::Whole,
            },
        );
    }
    Ok(())
}

fn pod<'n>(template: &'n Node, namespace: &str, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    let Some(spec) = template.object("spec")? else { return Ok(()) };
    for list in ["containers", "initContainers"] {
        for container in spec.objects(list)? {
            self::container(container, namespace, sites)?;
        }
    }
    Ok(())
}

fn container<'n>(node: &'n Node, namespace: &str, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    let mut variables = HashMap::new();
    for variable in node.objects("env")? {
        let name = variable.text("name")?.unwrap_or_default();
        let value = variable.text("value")?;
        if let (Some(value), Some(node)) = (value, variable.get("value")) {
            sites.scan(node, name, value, &variables);
            variables.insert(name, expand::expand(value, &variables).text);
        } else if is_namespace(variable)? {
            variables.insert(name, namespace.to_owned());
        } else {
            variables.remove(name);
        }
    }
    arguments(node, &variables, sites)?;
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = node.object(probe)? {
            handler(probe, sites)?;
        }
    }
    let Some(lifecycle) = node.object("lifecycle")? else { return Ok(()) };
    for hook in ["postStart", "preStop"] {
        if let Some(hook) = lifecycle.object(hook)? {
            handler(hook, sites)?;
        }
    }
    Ok(())
}

/// Whether a variable is the namespace of the Pod, which is known.
fn is_namespace(variable: &Node) -> Decoded<'_, bool> {
    let Some(source) = variable.object("valueFrom")? else { return Ok(false) };
    let Some(field) = source.object("fieldRef")? else { return Ok(false) };
    Ok(field.text("fieldPath")? == Some("metadata.namespace"))
}

/// `command` and `args`: a flag may stand in front of its value. The hosts of
/// kube-webhook-certgen go into a certificate.
fn arguments<'n>(
    node: &'n Node,
    variables: &HashMap<&str, String>,
    sites: &mut Sites<'n>,
) -> Decoded<'n, ()> {
    for list in ["command", "args"] {
        let texts = node.texts(list)?;
        let makes_certificate = texts.iter().any(|(_, text)| text.starts_with("--secret-name"));
        let mut flag = "";
        for (node, text) in texts {
            if !makes_certificate || !text.starts_with("--host") {
                sites.scan(node, flag, text, variables);
            }
            flag = if text.starts_with('-') && !text.contains(['=', ' ']) { text } else { "" };
        }
    }
    Ok(())
}

/// An `exec` or `httpGet` of a probe or of a lifecycle hook. Kubernetes fills
/// in no variables for the former.
fn handler<'n>(node: &'n Node, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    if let Some(exec) = node.object("exec")? {
        arguments(exec, &HashMap::new(), sites)?;
    }
    let Some(http) = node.object("httpGet")? else { return Ok(()) };
    if let (Some(host), Some(node)) = (http.filled("host")?, http.get("host")) {
        let scheme = http.filled("scheme")?.unwrap_or("HTTP").to_ascii_lowercase();
        sites.add(
            node,
            Target::Host {
                host: host.to_owned(),
                port: port(http, "port")?,
                scheme,
                srv: false,
                form: Form::Authority,
            },
        );
    }
    Ok(())
}

impl<'n> Sites<'n> {
    /// Scans the text of a node. Places that are known only through a variable
    /// are found where the variable is set.
    fn scan(&mut self, node: &'n Node, key: &str, text: &str, variables: &HashMap<&str, String>) {
        let expanded = expand::expand(text, variables);
        for spot in scan(key, &expanded.text) {
            let Some(origin) = expanded.origin(&spot.range) else { continue };
            let target = Target::Host {
                host: spot.host,
                port: spot.port.map(|port| IntOrString::Int(port.into())),
                scheme: spot.scheme,
                srv: spot.srv,
                form: spot.form,
            };
            self.0.push((node, Some(range(&origin)), target));
        }
    }
}

/// Strings are shorter than what a source may hold, which `u32` can count.
fn range(bytes: &std::ops::Range<usize>) -> ByteRange {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    ByteRange { start: offset(bytes.start), end: offset(bytes.end) }
}
