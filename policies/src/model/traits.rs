//! What labels and annotations tell: the one table of such names.

use super::{Label, selector::value_of};

/// What the model knows about an object from its metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Traits {
    /// A Helm or Argo CD hook: it provides, but is never required.
    pub hook: bool,
    /// A hook that runs on demand, such as `helm test`.
    pub test_hook: bool,
    /// It has an owner, or carries an operator's labels: its present form isn't
    /// the last word.
    pub operator_managed: bool,
    /// Its endpoints are written by a controller outside of Kubernetes.
    pub endpoints_managed_elsewhere: bool,
    /// Its Pods get containers injected that no manifest shows. For a
    /// Namespace: the Pods in it.
    pub injected: bool,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
}

/// helm.sh/docs/topics/charts_hooks; argo-cd.readthedocs.io "Resource Hooks".
const HOOKS: &[&str] = &["helm.sh/hook", "argocd.argoproj.io/hook"];

/// Values of `helm.sh/hook`, the last two from Helm 2.
const TEST_HOOKS: &[&str] = &["test", "test-success", "test-failure"];

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Values of `app.kubernetes.io/managed-by`, in lower case, of tools that write
/// what their user wrote.
const PLAIN_TOOLS: &[&str] = &[
    "",
    "argocd",
    "argo-cd",
    "cdk8s",
    "flux",
    "fluxcd",
    "helm",
    "helmfile",
    "jsonnet",
    "kapp",
    "kubectl",
    "kustomize",
    "manual",
    "pulumi",
    "skaffold",
    "tanka",
    "terraform",
    "tiller",
];

/// Prefixes of label keys that operators put on what they make.
const OPERATOR_LABELS: &[&str] = &[
    "cassandra.datastax.com/",       // cass-operator
    "cnpg.io/",                      // CloudNativePG
    "common.k8s.elastic.co/",        // ECK
    "elasticsearch.k8s.elastic.co/", // ECK
    "mysql.oracle.com/",             // MySQL Operator
    "olm.owner",                     // Operator Lifecycle Manager
    "operator.prometheus.io/",       // Prometheus Operator
    "postgres-operator.crunchydata.com/",
    "strimzi.io/",
    "v1.min.io/", // MinIO Operator
];

/// Prefixes of label and annotation keys of controllers that write endpoints.
const ENDPOINT_WRITERS: &[&str] = &[
    "consul.hashicorp.com/",
    // Leader election on Endpoints: client-go's old resource lock, and Patroni.
    "control-plane.alpha.kubernetes.io/leader",
    // Cilium's Cluster Mesh, docs.cilium.io "Load-balancing & Service Discovery".
    "io.cilium/global-service",
    "kubevirt.io/",
    // Linkerd's service mirror.
    "mirror.linkerd.io/",
    // Multi-cluster Services (KEP-1645).
    "multicluster.kubernetes.io/",
    "multicluster.x-k8s.io/",
    "service.cilium.io/global",
    "submariner.io/",
];

/// Labels of the Services whose Endpoints Patroni writes: its own example, the
/// charts, and Zalando's Spilo.
const PATRONI: &[(&str, &str)] = &[
    ("app", "patroni"),
    ("application", "patroni"),
    ("application", "spilo"),
    ("component", "patroni"),
];

/// The label of an EndpointSlice that names its writer.
const SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// The values that kubernetes.io/docs "EndpointSlices" recommends for slices
/// written by hand.
const HUMANS: &[&str] = &["cluster-admins", "staff"];

/// Labels or annotations of a Pod that ask for injected containers, with the
/// values that don't.
const INJECTORS: &[(&str, &[&str])] = &[
    ("consul.hashicorp.com/connect-inject", &["false"]),
    ("dapr.io/enabled", &["false"]),
    ("kuma.io/sidecar-injection", &["disabled", "false"]),
    ("linkerd.io/inject", &["disabled"]),
    ("sidecar.istio.io/inject", &["false"]),
    ("sidecar.jaegertracing.io/inject", &["false"]),
    ("sidecar.opentelemetry.io/inject", &["false"]),
    ("vault.hashicorp.com/agent-inject", &["false"]),
];

/// The same on a Namespace.
const NAMESPACE_INJECTORS: &[(&str, &[&str])] = &[
    ("istio-injection", &["disabled"]),
    ("istio.io/rev", &[]),
    ("kuma.io/sidecar-injection", &["disabled", "false"]),
    ("linkerd.io/inject", &["disabled"]),
];

/// Both lists are sorted by key.
pub(super) fn traits(labels: &[Label], annotations: &[Label], owned: bool) -> Traits {
    let helm_hooks = value_of(annotations, HOOKS[0]).unwrap_or_default();
    let managed_by = value_of(labels, MANAGED_BY).unwrap_or_default().to_ascii_lowercase();
    let slice_writer = value_of(labels, SLICE_MANAGED_BY);
    Traits {
        hook: HOOKS.iter().any(|key| value_of(annotations, key).is_some()),
        test_hook: helm_hooks.split(',').any(|hook| TEST_HOOKS.contains(&hook.trim())),
        operator_managed: owned
            || !PLAIN_TOOLS.contains(&managed_by.as_str())
            || has_prefix(labels, OPERATOR_LABELS),
        endpoints_managed_elsewhere: has_prefix(labels, ENDPOINT_WRITERS)
            || has_prefix(annotations, ENDPOINT_WRITERS)
            || PATRONI.iter().any(|(key, value)| value_of(labels, key) == Some(value))
            || slice_writer.is_some_and(|writer| !HUMANS.contains(&writer)),
        injected: false,
        deleting: false,
    }
}

/// Whether the endpoints controller wrote these Endpoints: since Kubernetes 1.33
/// a label says so, and an annotation where Pods had changed before that.
///
/// # Source
/// kubernetes v1.36 `pkg/controller/endpoint/endpoints_controller.go`,
/// `syncService`.
pub(super) fn by_endpoints_controller(labels: &[Label], annotations: &[Label]) -> bool {
    value_of(labels, "endpoints.kubernetes.io/managed-by") == Some("endpoint-controller")
        || value_of(annotations, "endpoints.kubernetes.io/last-change-trigger-time").is_some()
}

/// Whether labels or annotations of a Pod ask for injected containers.
pub(super) fn injects(labels: &[Label], annotations: &[Label]) -> bool {
    asks(INJECTORS, labels, annotations)
}

/// Whether those of a Namespace do, for the Pods in it.
pub(super) fn namespace_injects(labels: &[Label], annotations: &[Label]) -> bool {
    asks(NAMESPACE_INJECTORS, labels, annotations)
}

fn asks(table: &[(&str, &[&str])], labels: &[Label], annotations: &[Label]) -> bool {
    table.iter().any(|(key, declines)| {
        [labels, annotations]
            .into_iter()
            .filter_map(|pairs| value_of(pairs, key))
            .any(|value| !declines.contains(&value))
    })
}

fn has_prefix(pairs: &[Label], prefixes: &[&str]) -> bool {
    pairs.iter().any(|pair| prefixes.iter().any(|prefix| pair.key.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &[(&str, &str)]) -> Vec<Label> {
        let mut pairs: Vec<_> = text
            .iter()
            .map(|(key, value)| Label { key: (*key).to_owned(), value: (*value).to_owned() })
            .collect();
        pairs.sort();
        pairs
    }

    #[test]
    fn hooks_are_told_from_test_hooks() {
        let of = |key, value| traits(&[], &pairs(&[(key, value)]), false);
        assert!(of("helm.sh/hook", "pre-install,pre-upgrade").hook);
        assert!(!of("helm.sh/hook", "pre-install,pre-upgrade").test_hook);
        assert!(of("helm.sh/hook", "post-install, test").test_hook);
        assert!(of("argocd.argoproj.io/hook", "PreSync").hook);
        assert!(!of("helm.sh/resource-policy", "keep").hook);
    }

    #[test]
    fn an_operator_is_told_from_a_tool() {
        let of = |key, value| traits(&pairs(&[(key, value)]), &[], false).operator_managed;
        assert!(!of(MANAGED_BY, "Helm"));
        assert!(!of(MANAGED_BY, "kustomize"));
        assert!(of(MANAGED_BY, "percona-xtradb-cluster-operator"));
        assert!(of("strimzi.io/cluster", "my-cluster"));
        assert!(!of("app.kubernetes.io/part-of", "strimzi.io"));
        assert!(traits(&[], &[], true).operator_managed);
    }

    #[test]
    fn endpoints_may_be_written_from_outside() {
        let label = |key, value| traits(&pairs(&[(key, value)]), &[], false);
        assert!(label("application", "spilo").endpoints_managed_elsewhere);
        assert!(label("mirror.linkerd.io/mirrored-service", "true").endpoints_managed_elsewhere);
        assert!(label(SLICE_MANAGED_BY, "mesh.example.com").endpoints_managed_elsewhere);
        assert!(!label(SLICE_MANAGED_BY, "staff").endpoints_managed_elsewhere);
        assert!(!label("app", "db").endpoints_managed_elsewhere);
        let leader = pairs(&[("control-plane.alpha.kubernetes.io/leader", "{}")]);
        assert!(traits(&[], &leader, false).endpoints_managed_elsewhere);
    }

    #[test]
    fn injection_can_be_declined() {
        assert!(injects(&pairs(&[("sidecar.istio.io/inject", "true")]), &[]));
        assert!(injects(&[], &pairs(&[("linkerd.io/inject", "enabled")])));
        assert!(!injects(&[], &pairs(&[("linkerd.io/inject", "disabled")])));
        assert!(!injects(&pairs(&[("app", "db")]), &[]));
        assert!(namespace_injects(&pairs(&[("istio-injection", "enabled")]), &[]));
    }
}
