//! Fields that can't name anything but a Service.

use super::{Sites, Target};
use crate::k8s::{self, Kind};
use crate::manifest::Node;
use crate::model::{Decoded, Fields, IntOrString, ObjectRef, Via, port, selector};

/// The kinds of the Gateway API that route to backends.
const ROUTES: &[&str] = &["GRPCRoute", "HTTPRoute", "TCPRoute", "TLSRoute", "UDPRoute"];

pub(super) fn collect<'n>(
    root: &'n Node,
    object: &ObjectRef,
    kind: Option<Kind>,
    sites: &mut Sites<'n>,
) -> Decoded<'n, ()> {
    let group = k8s::group(&object.api_version);
    match kind {
        Some(Kind::Ingress) => ingress(root, &object.namespace, sites),
        Some(Kind::MutatingWebhookConfiguration | Kind::ValidatingWebhookConfiguration) => {
            for webhook in root.objects("webhooks")? {
                client_config(Some(webhook), sites)?;
            }
            Ok(())
        }
        Some(Kind::ApiService) => control_plane(root.object("spec")?, sites),
        Some(Kind::CustomResourceDefinition) => conversion(root, sites),
        None if group == "gateway.networking.k8s.io" && ROUTES.contains(&object.kind.as_str()) => {
            route(root, &object.namespace, sites)
        }
        None if group == "monitoring.coreos.com" && object.kind == "ServiceMonitor" => {
            monitor(root, &object.namespace, sites)
        }
        _ => Ok(()),
    }
}

fn ingress<'n>(root: &'n Node, namespace: &str, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    let Some(spec) = root.object("spec")? else { return Ok(()) };
    ingress_backend(spec.object("defaultBackend")?, namespace, sites)?;
    for rule in spec.objects("rules")? {
        let Some(http) = rule.object("http")? else { continue };
        for path in http.objects("paths")? {
            ingress_backend(path.object("backend")?, namespace, sites)?;
        }
    }
    Ok(())
}

fn ingress_backend<'n>(
    backend: Option<&'n Node>,
    namespace: &str,
    sites: &mut Sites<'n>,
) -> Decoded<'n, ()> {
    let Some(backend) = backend else { return Ok(()) };
    let Some(service) = backend.object("service")? else { return Ok(()) };
    let mut target = None;
    if let Some(node) = service.object("port")? {
        let name = node.filled("name")?.map(|name| IntOrString::Text(name.to_owned()));
        target = name.or(node.int("number")?.map(IntOrString::Int));
    }
    named(service, Via::Route, namespace, target, sites)
}

/// # Source
/// gateway-api v1.3 `apis/v1/object_reference_types.go`
/// (`BackendObjectReference`): a Service of the core group by default.
fn route<'n>(root: &'n Node, namespace: &str, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    let Some(spec) = root.object("spec")? else { return Ok(()) };
    for rule in spec.objects("rules")? {
        for backend in rule.objects("backendRefs")? {
            let is_service = backend.text("group")?.unwrap_or_default().is_empty()
                && backend.filled("kind")?.unwrap_or("Service") == "Service";
            if is_service {
                let namespace = backend.filled("namespace")?.unwrap_or(namespace);
                let number = backend.int("port")?.map(IntOrString::Int);
                named(backend, Via::Route, namespace, number, sites)?;
            }
        }
    }
    Ok(())
}

fn conversion<'n>(root: &'n Node, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    let Some(spec) = root.object("spec")? else { return Ok(()) };
    let Some(conversion) = spec.object("conversion")? else { return Ok(()) };
    client_config(conversion.object("webhook")?, sites)
}

fn client_config<'n>(webhook: Option<&'n Node>, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    let Some(webhook) = webhook else { return Ok(()) };
    control_plane(webhook.object("clientConfig")?, sites)
}

/// # Source
/// kubernetes v1.36 `pkg/apis/admissionregistration/v1/defaults.go`
/// (`SetDefaults_ServiceReference`); the same for APIService and CRD: the port
/// is 443 by default.
fn control_plane<'n>(parent: Option<&'n Node>, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    let Some(parent) = parent else { return Ok(()) };
    let Some(service) = parent.object("service")? else { return Ok(()) };
    let Some(namespace) = service.filled("namespace")? else { return Ok(()) };
    let number = IntOrString::Int(service.int("port")?.unwrap_or(443));
    named(service, Via::ControlPlane, namespace, Some(number), sites)
}

/// A reference with the Service's name in the field `name`.
fn named<'n>(
    reference: &'n Node,
    via: Via,
    namespace: &str,
    port: Option<IntOrString>,
    sites: &mut Sites<'n>,
) -> Decoded<'n, ()> {
    if let (Some(name), Some(node)) = (reference.filled("name")?, reference.get("name")) {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        sites.add(node, Target::Service { via, namespace, name, port });
    }
    Ok(())
}

/// # Source
/// prometheus-operator v0.80 `pkg/apis/monitoring/v1/types.go`: without a
/// `namespaceSelector` the monitor's own namespace counts.
fn monitor<'n>(root: &'n Node, namespace: &str, sites: &mut Sites<'n>) -> Decoded<'n, ()> {
    let Some(spec) = root.object("spec")? else { return Ok(()) };
    let Some(selector) = selector(spec, "selector")? else { return Ok(()) };
    let mut namespaces = Some(vec![namespace.to_owned()]);
    if let Some(wanted) = spec.object("namespaceSelector")? {
        let names = wanted.texts("matchNames")?;
        if wanted.flag("any")? {
            namespaces = None;
        } else if !names.is_empty() {
            namespaces = Some(names.into_iter().map(|(_, name)| name.to_owned()).collect());
        }
    }
    for endpoint in spec.objects("endpoints")? {
        let name = endpoint.filled("port")?.map(|name| IntOrString::Text(name.to_owned()));
        let target = Target::Selected {
            namespaces: namespaces.clone(),
            selector: selector.clone(),
            port: name.or(port(endpoint, "targetPort")?),
        };
        sites.add(endpoint, target);
    }
    Ok(())
}
