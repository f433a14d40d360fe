//! All kinds of mutations.

use super::Kind;
use super::{endpoints, names, policies, ports, selectors, sets};

/// In the order in which they are told.
pub const KINDS: &[Kind] = &{
    const fn kind(
        name: &'static str,
        rules: &'static [&'static str],
        sites: fn(&super::Bundle) -> Vec<super::Mutation>,
    ) -> Kind {
        Kind { name, rules, sites }
    }
    const SELECTS: &[&str] = &["selector-matches-nothing", "statefulset-service-selector-mismatch"];
    const REFUSED: &[&str] = &["workload-selector-template-mismatch"];
    const ORPHANS: &[&str] = &["endpoints-orphan", "selectorless-without-endpoints"];
    const POD_NAMES: &[&str] = &["pod-dns-name-invalid"];
    [
        kind("selector dropped", &["selectorless-without-endpoints"], selectors::dropped),
        kind("selector emptied", &["empty-selector-is-selectorless"], selectors::emptied),
        kind("selector's value changed", SELECTS, selectors::value_changed),
        kind("selector's key changed", SELECTS, selectors::key_changed),
        kind("selector's label added", SELECTS, selectors::label_added),
        kind("selector widened", &["selector-wider-than-governed"], selectors::widened),
        kind("Pod's label changed", REFUSED, selectors::pod_label_changed),
        kind("Pod's label dropped", REFUSED, selectors::pod_label_dropped),
        kind("Pod's own label changed", SELECTS, selectors::own_label_changed),
        kind("matchLabels changed", REFUSED, selectors::match_labels_changed),
        kind("workload's selector dropped", &["statefulset-selector-missing"], selectors::workload),
        kind("port changed", &["headless-port-target-mismatch"], ports::port),
        kind(
            "targetPort's number changed",
            &["headless-port-target-mismatch"],
            ports::target_number,
        ),
        kind("targetPort's name changed", &["named-target-port-unresolved"], ports::target_name),
        kind(
            "container port renamed",
            &["named-target-port-unresolved", "named-target-port-diverges"],
            ports::container_name,
        ),
        kind(
            "container port moved",
            &["headless-port-target-mismatch", "named-target-port-diverges"],
            ports::container_port,
        ),
        kind(
            "dialled container port moved",
            &["client-dials-headless-service-port"],
            ports::dialled_container_port,
        ),
        kind("protocol changed", &["named-target-port-protocol"], ports::protocol),
        kind("port's name doubled", &["port-list-invalid"], ports::name_doubled),
        kind("port's name dropped", &["port-list-invalid"], ports::name_dropped),
        kind("port's number doubled", &["port-list-invalid"], ports::number_doubled),
        kind("targetPort quoted", &["quoted-numeric-target-port"], ports::quoted),
        kind("port with a zero in front", &["yaml-number-port-surprise"], ports::octal),
        kind("None in small letters", &["cluster-ip-none-misspelled"], sets::misspelled),
        kind("clusterIPs alone", &["cluster-ips-none-without-cluster-ip"], sets::list_alone),
        kind(
            "clusterIP dropped",
            &["statefulset-service-not-headless", "intended-headless-has-vip"],
            sets::cluster_ip_dropped,
        ),
        kind("clusterIP doubled", &["yaml-duplicate-key"], sets::cluster_ip_doubled),
        kind("NodePort", &["headless-type-conflict"], sets::node_port),
        kind("session affinity", &["headless-session-affinity-ignored"], sets::affinity),
        kind("local traffic policy", &["headless-traffic-policy-ignored"], sets::traffic),
        kind("external address", &["headless-external-fields-ignored"], sets::external),
        kind("serviceName changed", &["statefulset-service-missing"], sets::service_name_changed),
        kind(
            "serviceName dropped",
            &["statefulset-service-name-empty"],
            sets::service_name_dropped,
        ),
        kind(
            "serviceName with a namespace",
            &["statefulset-service-cross-namespace"],
            sets::service_name_dotted,
        ),
        kind(
            "serviceName of another Service",
            &["statefulset-service-not-headless"],
            sets::service_name_of_another,
        ),
        kind("Service renamed", &["statefulset-service-missing"], sets::service_renamed),
        kind(
            "Service in another namespace",
            &["statefulset-service-cross-namespace"],
            sets::service_moved,
        ),
        kind("set in another namespace", &["statefulset-service-cross-namespace"], sets::set_moved),
        kind("set's name too long", &["statefulset-name-too-long"], sets::name_too_long),
        kind(
            "unready Pods hidden",
            &["peer-discovery-hidden-by-readiness"],
            sets::published_dropped,
        ),
        kind("ordinal in a name", POD_NAMES, names::ordinal),
        kind("Service in a Pod's name", POD_NAMES, names::service),
        kind("Pod in a name", POD_NAMES, names::pod),
        kind("replicas lowered", POD_NAMES, names::replicas_lowered),
        kind("set renamed", POD_NAMES, names::set_renamed),
        kind("namespace in a name dropped", &["dns-name-missing-namespace"], names::namespace),
        kind("port in an SRV name changed", &["srv-name-not-published"], names::srv_port),
        kind("host network", &["host-network-dns-policy"], names::host_network),
        kind("DNS of the node", &["dns-policy-default"], names::dns_policy),
        kind("subdomain changed", &["subdomain-service-missing"], names::subdomain),
        kind("hostname dropped", &["subdomain-without-hostname"], names::hostname),
        kind("policy's port changed", &["netpol-uses-service-port"], policies::port),
        kind("policy's port renamed", &["netpol-named-port-unresolved"], policies::port_name),
        kind("policy without DNS", &["netpol-egress-blocks-dns"], policies::dns),
        kind("policy without peers", &["netpol-blocks-peers"], policies::peers),
        kind("endpoints renamed", ORPHANS, endpoints::renamed),
        kind("endpoints' port renamed", &["endpoints-port-name-mismatch"], endpoints::port_renamed),
        kind(
            "endpoints' port changed",
            &["endpoints-port-number-mismatch"],
            endpoints::port_changed,
        ),
        kind("endpoints not mirrored", &["endpoints-skip-mirror"], endpoints::skipped),
        kind("endpoints not ready", &["endpoints-not-ready-only"], endpoints::not_ready),
        kind("loopback address", &["endpoints-address-invalid"], endpoints::loopback),
        kind(
            "slice's label dropped",
            &["endpointslice-service-label-missing"],
            endpoints::label_dropped,
        ),
        kind("slice's label changed", ORPHANS, endpoints::label_changed),
        kind("slice with host names", &["endpointslice-fqdn-address"], endpoints::fqdn),
        kind("Ingress' port changed", &["ingress-to-headless"], ports::ingress),
        kind("Service doubled", &["duplicate-object"], sets::doubled),
        kind("endpoints not watched", &["coredns-config-headless"], names::not_watched),
    ]
};
