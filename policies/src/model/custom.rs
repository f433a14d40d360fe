//! Custom kinds, and how far what they produce may reach.
//!
//! A custom resource may stand for Pods, Services and Endpoints that no
//! manifest shows. Which ones can't is a matter of knowing them: everything
//! that isn't in this table is taken to produce in its own namespace.

use crate::k8s;

/// Where an object of a kind may produce Pods, Services or Endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nowhere.
    Nothing,
    /// In its own namespace.
    Namespace,
    /// In namespaces that its spec names.
    Everywhere,
}

/// Kinds that describe, route, restrict or measure, by group; no kinds means
/// all of the group.
const INERT: &[(&str, &[&str])] = &[
    ("acme.cert-manager.io", &[]),
    ("argoproj.io", &["AppProject"]),
    ("autoscaling.k8s.io", &[]),
    ("bitnami.com", &["SealedSecret"]),
    ("cert-manager.io", &[]),
    ("cilium.io", &[]),
    ("cloud.google.com", &["BackendConfig"]),
    ("configuration.konghq.com", &[]),
    ("crd.projectcalico.org", &[]),
    ("elbv2.k8s.aws", &[]),
    ("external-secrets.io", &[]),
    ("externaldns.k8s.io", &[]),
    ("gateway.envoyproxy.io", &["BackendTrafficPolicy", "ClientTrafficPolicy", "SecurityPolicy"]),
    // A Gateway is made into a Deployment and a Service by some controllers.
    (
        "gateway.networking.k8s.io",
        &[
            "BackendTLSPolicy",
            "GRPCRoute",
            "GatewayClass",
            "HTTPRoute",
            "ReferenceGrant",
            "TCPRoute",
            "TLSRoute",
            "UDPRoute",
        ],
    ),
    ("generators.external-secrets.io", &[]),
    ("grafana.integreatly.org", &["GrafanaDashboard", "GrafanaDatasource", "GrafanaFolder"]),
    ("image.toolkit.fluxcd.io", &[]),
    ("k8s.cni.cncf.io", &["NetworkAttachmentDefinition"]),
    ("kafka.strimzi.io", &["KafkaTopic", "KafkaUser"]),
    ("karpenter.k8s.aws", &[]),
    ("karpenter.sh", &[]),
    // A ScaledJob makes Jobs.
    ("keda.sh", &["ClusterTriggerAuthentication", "ScaledObject", "TriggerAuthentication"]),
    // A file for the kustomize command, never an object of a cluster.
    ("kustomize.config.k8s.io", &[]),
    ("linkerd.io", &["ServiceProfile"]),
    ("metallb.io", &[]),
    (
        "monitoring.coreos.com",
        &[
            "AlertmanagerConfig",
            "PodMonitor",
            "Probe",
            "PrometheusRule",
            "ScrapeConfig",
            "ServiceMonitor",
        ],
    ),
    ("networking.istio.io", &[]),
    ("notification.toolkit.fluxcd.io", &[]),
    (
        "operator.victoriametrics.com",
        &["VMNodeScrape", "VMPodScrape", "VMProbe", "VMRule", "VMServiceScrape", "VMStaticScrape"],
    ),
    ("policy.linkerd.io", &[]),
    ("projectcalico.org", &[]),
    ("projectcontour.io", &["HTTPProxy", "TLSCertificateDelegation"]),
    ("route.openshift.io", &[]),
    ("secrets-store.csi.x-k8s.io", &[]),
    ("secrets.hashicorp.com", &[]),
    ("security.istio.io", &[]),
    ("security.openshift.io", &[]),
    ("snapshot.storage.k8s.io", &[]),
    ("source.toolkit.fluxcd.io", &[]),
    ("telemetry.istio.io", &[]),
    ("traefik.containo.us", &[]),
    ("traefik.io", &[]),
    ("trust.cert-manager.io", &[]),
];

/// Kinds that deploy into a namespace that their spec names.
const DEPLOYERS: &[(&str, &[&str])] = &[
    ("argoproj.io", &["Application", "ApplicationSet"]),
    ("fleet.cattle.io", &[]),
    ("helm.cattle.io", &["HelmChart"]),
    ("helm.crossplane.io", &[]),
    ("helm.toolkit.fluxcd.io", &[]),
    ("kappctrl.k14s.io", &[]),
    ("kubernetes.crossplane.io", &[]),
    ("kustomize.toolkit.fluxcd.io", &[]),
    ("operators.coreos.com", &[]),
];

/// How far an object of this kind reaches. Kubernetes' own kinds produce
/// nothing that the model doesn't see: the template of a workload stands for
/// its Pods.
pub fn reach(api_version: &str, kind: &str) -> Reach {
    let group = k8s::group(api_version);
    let listed = |table: &[(&str, &[&str])]| {
        table.iter().any(|(g, kinds)| *g == group && (kinds.is_empty() || kinds.contains(&kind)))
    };
    if k8s::is_own_group(group) || listed(INERT) {
        Reach::Nothing
    } else if listed(DEPLOYERS) {
        Reach::Everywhere
    } else {
        Reach::Namespace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_is_a_matter_of_the_kind() {
        for (api_version, kind, expected) in [
            ("v1", "Service", Reach::Nothing),
            ("apps/v1", "StatefulSet", Reach::Nothing),
            ("monitoring.coreos.com/v1", "ServiceMonitor", Reach::Nothing),
            ("monitoring.coreos.com/v1", "Prometheus", Reach::Namespace),
            ("gateway.networking.k8s.io/v1", "HTTPRoute", Reach::Nothing),
            ("gateway.networking.k8s.io/v1", "Gateway", Reach::Namespace),
            ("keda.sh/v1alpha1", "ScaledJob", Reach::Namespace),
            ("kafka.strimzi.io/v1beta2", "Kafka", Reach::Namespace),
            ("argoproj.io/v1alpha1", "Rollout", Reach::Namespace),
            ("argoproj.io/v1alpha1", "Application", Reach::Everywhere),
            ("helm.toolkit.fluxcd.io/v2", "HelmRelease", Reach::Everywhere),
            ("cilium.io/v2", "CiliumNetworkPolicy", Reach::Nothing),
        ] {
            assert_eq!(reach(api_version, kind), expected, "{api_version} {kind}");
        }
    }
}
