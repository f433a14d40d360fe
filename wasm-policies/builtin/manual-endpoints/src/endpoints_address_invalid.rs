//! Addresses that the API server refuses, and those that lead nowhere.

use std::net::IpAddr;

use headlint_policy_sdk::service::{dns_label, has, headless, placeholder};
use headlint_policy_sdk::types::{Endpoints, Object, Service, Traits};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Severity, Version, WRITTEN, display_name,
};
use serde_json::Value;

use crate::pair::{by_hand, is_slice};

/// The rule.
pub const RULE: Rule = Rule {
    id: "endpoints-address-invalid",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Endpoints", "EndpointSlice"],
    operations: WRITTEN,
    only_if: &[],
    summary: "an address of hand-written endpoints is refused, or leads nowhere",
    documentation: include_str!("endpoints-address-invalid.md"),
    check,
};

/// What the API server says.
const NO_ADDRESSES: &str = "must specify `addresses` or `notReadyAddresses`";
const NOT_IP: &str = "must be a valid IP address";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(object) = review.endpoints() else { return };
    if has(&object.meta, Traits::DELETING) {
        return;
    }
    let Some(raw) = context.raw(Version::New) else { return };
    let Ok(root) = serde_json::from_str::<Value>(&raw) else { return };
    let mut found = Found { object, faults: Vec::new(), addresses: Vec::new() };
    if is_slice(object) {
        found.slice(&root);
    } else {
        found.endpoints(&root);
    }
    for (path, what, quote) in &found.faults {
        findings.add(
            Finding::new(&RULE, path.as_str())
                .what(format!("{} {what}", display_name(&object.meta.ref_)))
                .why(format!("the API server refuses it: \"{quote}\""))
                .help("correct it, or remove it"),
        );
    }
    if found.faults.is_empty() {
        virtual_addresses(object, &found.addresses, context, findings);
    }
}

/// What a walk through the object finds.
struct Found<'e> {
    object: &'e Endpoints,
    /// Path, what is wrong, and the words of the API server.
    faults: Vec<(String, String, &'static str)>,
    /// The addresses, with their paths.
    addresses: Vec<(String, String)>,
}

impl Found<'_> {
    fn endpoints(&mut self, root: &Value) {
        for (at, subset) in list(&root["subsets"]) {
            let at = format!("$.subsets[{at}]");
            let (ready, not) = (list(&subset["addresses"]), list(&subset["notReadyAddresses"]));
            if ready.is_empty() && not.is_empty() {
                self.fault(at.clone(), "has a subset without addresses".to_owned(), NO_ADDRESSES);
            }
            for (field, addresses) in [("addresses", ready), ("notReadyAddresses", not)] {
                for (index, address) in addresses {
                    let path = format!("{at}.{field}[{index}]");
                    self.address(format!("{path}.ip"), address["ip"].as_str().unwrap_or_default());
                    self.hostname(format!("{path}.hostname"), &address["hostname"]);
                }
            }
            self.ports(&format!("{at}.ports"), &subset["ports"], "Required value");
        }
    }

    fn slice(&mut self, root: &Value) {
        let names = self.object.address_type.as_deref() == Some("FQDN");
        for (at, endpoint) in list(&root["endpoints"]) {
            let at = format!("$.endpoints[{at}]");
            let addresses = list(&endpoint["addresses"]);
            if addresses.is_empty() {
                let what = "has an endpoint without addresses".to_owned();
                self.fault(format!("{at}.addresses"), what, "must contain at least 1 address");
            }
            for (index, address) in addresses.into_iter().filter(|_| !names) {
                let path = format!("{at}.addresses[{index}]");
                self.address(path, address.as_str().unwrap_or_default());
            }
            self.hostname(format!("{at}.hostname"), &endpoint["hostname"]);
        }
        self.ports("$.ports", &root["ports"], "Duplicate value");
    }

    fn fault(&mut self, path: String, what: String, quote: &'static str) {
        self.faults.push((path, what, quote));
    }

    fn address(&mut self, path: String, text: &str) {
        if placeholder(text) {
            return;
        }
        let what = format!("has the address `{text}`");
        match fault(text, self.object.address_type.as_deref()) {
            Some(quote) => self.fault(path, what, quote),
            None => self.addresses.push((path, text.to_owned())),
        }
    }

    fn hostname(&mut self, path: String, value: &Value) {
        let name = value.as_str().unwrap_or_default();
        if !name.is_empty() && !placeholder(name) && !dns_label(name) {
            let quote = match name.contains('.') {
                true => "must not contain dots",
                false => "must consist of lower case alphanumeric characters or '-'",
            };
            self.fault(path, format!("has the host name `{name}`, which is no DNS label"), quote);
        }
    }

    /// Two ports without a name can't be told apart.
    fn ports(&mut self, path: &str, ports: &Value, quote: &'static str) {
        let unnamed = |port: &Value| port["name"].as_str().unwrap_or_default().is_empty();
        let mut without = list(ports).into_iter().filter(|(_, port)| unnamed(port));
        let several = match quote {
            // Of an Endpoints object each has a name, or there is only one.
            "Required value" => list(ports).len() > 1,
            _ => without.next().is_some(),
        };
        if several && let Some((index, _)) = without.next() {
            let what = "has several ports, one of them without a name".to_owned();
            self.fault(format!("{path}[{index}]"), what, quote);
        }
    }
}

fn list(value: &Value) -> Vec<(usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate().collect()
}

/// Why the API server refuses an address.
///
/// # Source
/// kubernetes v1.36 `pkg/apis/core/validation/validation.go`
/// `ValidateEndpointIP`; `pkg/apis/discovery/validation/validation.go`
/// `validateEndpoints`.
fn fault(text: &str, address_type: Option<&str>) -> Option<&'static str> {
    let Some(address) = parse(text) else { return Some(NOT_IP) };
    match address_type {
        Some("IPv4") if !address.is_ipv4() => return Some("must be an IPv4 address"),
        Some("IPv6") if !address.is_ipv6() => return Some("must be an IPv6 address"),
        _ => {}
    }
    let (link_local, multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.segments()[0] & 0xff0f == 0xff02),
    };
    if address.is_unspecified() {
        Some("may not be unspecified")
    } else if address.is_loopback() {
        Some("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    } else if link_local {
        Some("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    } else if multicast {
        Some("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    } else {
        None
    }
}

/// An address as Go reads it: zeros in front are left out, and an IPv4 address
/// in IPv6's clothes is one of IPv4.
fn parse(text: &str) -> Option<IpAddr> {
    let bare: Vec<_> = text
        .split('.')
        .map(|part| match part.trim_start_matches('0') {
            "" if !part.is_empty() => "0",
            rest if part.bytes().all(|byte| byte.is_ascii_digit()) => rest,
            _ => part,
        })
        .collect();
    bare.join(".").parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// Addresses that are those of Services. kube-proxy doesn't lead from one
/// virtual IP to another; DNS may well answer with one.
fn virtual_addresses(
    object: &Endpoints,
    addresses: &[(String, String)],
    context: &Context,
    findings: &mut Findings,
) {
    let namespace = &object.meta.ref_.namespace;
    let Some(own) = context.service(namespace, &object.service).found() else { return };
    if headless(&own) || !by_hand(&own) {
        return;
    }
    let services: Vec<Service> = context
        .objects("Service", namespace)
        .seen()
        .into_iter()
        .filter_map(|object| match object {
            Object::Service(service) => Some(service),
            _ => None,
        })
        .collect();
    for (path, address) in addresses {
        let Some(other) =
            services.iter().find(|service| service.cluster_ip.as_ref() == Some(address))
        else {
            continue;
        };
        let (name, other_name) = (&own.meta.ref_.name, &other.meta.ref_.name);
        findings.add(
            Finding::new(&RULE, path.as_str())
                .severity(Severity::Warning)
                .what(format!(
                    "{} has the address {address}, which is the cluster IP of Service \
                    `{other_name}`",
                    display_name(&object.meta.ref_)
                ))
                .why(format!(
                    "kube-proxy translates once: a client of `{name}` is sent to a virtual IP that \
                    nothing answers for, and times out"
                ))
                .help(format!(
                    "write a Service of type ExternalName for `{other_name}`, or the addresses \
                    behind it"
                ))
                .related(&other.meta.ref_, "$.spec.clusterIP", "a virtual IP, and no endpoint"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_refused_as_the_api_server_refuses_them() {
        for (text, kind, refused) in [
            ("10.0.0.7", None, false),
            ("010.000.0.07", None, false),
            ("fd00::7", None, false),
            ("224.0.1.1", None, false),
            ("127.0.0.1", None, true),
            ("::1", None, true),
            ("0.0.0.0", None, true),
            ("169.254.1.1", None, true),
            ("fe80::1", None, true),
            ("224.0.0.5", None, true),
            ("ff02::1", None, true),
            ("::ffff:127.0.0.1", None, true),
            ("db.example.com", None, true),
            ("10.0.0", None, true),
            ("10..0.0", None, true),
            ("", None, true),
            ("10.0.0.7", Some("IPv4"), false),
            ("10.0.0.7", Some("IPv6"), true),
            ("fd00::7", Some("IPv4"), true),
        ] {
            assert_eq!(fault(text, kind).is_some(), refused, "{text} {kind:?}");
        }
    }
}
