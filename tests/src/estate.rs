//! Many manifests as charts render them, the same in every run: for measuring.
//!
//! A release is one file with 20 objects: four StatefulSets, each with its
//! headless Service, what dials them, and what else a chart brings. Some
//! releases have a defect, some a CustomResourceDefinition of usual size.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::random::Random;

/// Objects in one file.
pub const OBJECTS: usize = 20;

/// Twelve objects, and `LAST` for the last one.
const RELEASE: &str = include_str!("../benches/release.yaml");

/// A headless Service and its StatefulSet.
const MEMBER: &str = include_str!("../benches/member.yaml");

/// What the members are, and the port of each.
const MEMBERS: [(&str, u16); 4] =
    [("broker", 9092), ("keeper", 2181), ("store", 5432), ("cache", 6379)];

/// One file.
#[must_use]
pub fn release(number: usize) -> String {
    let mut random = Random::new(number as u64);
    let mut text = String::new();
    for (component, port) in MEMBERS {
        let (mut served, mut governed) = (port.to_string(), format!("NAME-{component}-headless"));
        // A port that nothing translates, or a Service that isn't there.
        match random.below(50) {
            0 => served = "80".to_owned(),
            1 => governed = format!("NAME-{component}"),
            _ => {}
        }
        let member = MEMBER
            .replace("COMPONENT", component)
            .replace("SERVED", &served)
            .replace("GOVERNED", &governed)
            .replace("PORT", &port.to_string());
        text += &member;
        text += "---\n";
    }
    let last = if random.chance(20) { definition(&mut random) } else { MONITOR.to_owned() };
    text += &RELEASE.replace("LAST\n", &last);
    text.replace("NAMESPACE", &format!("team-{}", number % 40))
        .replace("NAME", &format!("{}-{number}", random.pick(&["orders", "search", "billing"])))
        .replace("REPLICAS", &(1 + random.below(5)).to_string())
        .replace("NUMBER", &(10 + random.below(90)).to_string())
}

/// Writes so many objects into a folder, and returns how many bytes that are.
///
/// # Panics
/// When a file can't be written.
pub fn write(folder: &Path, objects: usize) -> usize {
    (0..objects / OBJECTS)
        .map(|number| {
            let text = release(number);
            fs::write(folder.join(format!("release-{number:05}.yaml")), &text)
                .expect("the folder can be written to");
            text.len()
        })
        .sum()
}

const MONITOR: &str = "\
# Source: NAME/templates/service-monitor.yaml
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: NAME
  namespace: NAMESPACE
  labels:
    app.kubernetes.io/name: NAME
    release: prometheus
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: NAME
      app.kubernetes.io/component: api
  endpoints:
    - port: metrics
      interval: 30s
      path: /metrics
";

/// As controller-gen writes them: some 20 KB of schema, most of it prose.
fn definition(random: &mut Random) -> String {
    let mut text = String::from(
        "\
# Source: NAME/crds/clusters.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations:
    controller-gen.kubebuilder.io/version: v0.16.1
  name: clusters.NAME.example.com
spec:
  group: NAME.example.com
  names:
    kind: Cluster
    listKind: ClusterList
    plural: clusters
    singular: cluster
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
    schema:
      openAPIV3Schema:
        description: Cluster is the Schema for the clusters API
        type: object
        properties:
          apiVersion:
            description: |-
              APIVersion defines the versioned schema of this representation of an object.
              Servers should convert recognized schemas to the latest internal value, and
              may reject unrecognized values.
            type: string
          kind:
            type: string
          metadata:
            type: object
          spec:
            type: object
            properties:
",
    );
    for field in 0..40 {
        let kind = random.pick(&["string", "integer", "boolean"]);
        write!(
            text,
            "\
              field{field}:
                description: 'Field {field} of the desired state of the cluster. The operator
                  compares it with what it finds, and acts where they differ. It''s optional:
                  what isn''t given has the default of the release.'
                properties:
                  name:
                    description: Name of what is meant, within the namespace of the cluster
                    maxLength: 63
                    minLength: 1
                    pattern: ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$
                    type: string
                  value:
                    type: {kind}
                required:
                - name
                type: object
"
        )
        .expect("a String takes all");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cases::{defaults, lint_text};
    use crate::kubectl::ours;

    #[test]
    fn a_release_is_what_it_says() {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        let (mut headless, mut findings) = (0, 0);
        for number in 0..50 {
            let text = release(number);
            assert_eq!(text, release(number));
            headless += text.matches("clusterIP: None").count();
            let loaded = ours(text.clone().into_bytes());
            assert_eq!((loaded.errors.len(), loaded.manifests.len()), (0, OBJECTS), "{number}");
            for manifest in loaded.manifests {
                let kind = manifest.root.get("kind").and_then(|kind| kind.as_str());
                *kinds.entry(kind.unwrap_or_default().to_owned()).or_default() += 1;
            }
            findings += lint_text("release.yaml", &text, &defaults()).report.findings.len();
        }
        assert_eq!((headless, kinds["StatefulSet"], kinds["Service"]), (200, 200, 250));
        assert!(kinds["CustomResourceDefinition"] > 3, "{kinds:?}");
        assert!(findings > 0);
    }
}
