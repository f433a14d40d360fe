//! What holds for every input: findings depend on the objects, and not on
//! where they stand, what stands beside them, or who judges them first.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use headlint_policies::finding::{Finding, ObjectRef, Report};
use headlint_policies::lint::{Options, lint};
use headlint_policies::manifest::{self, Source};
use headlint_policies::model::project;
use headlint_tests::cases::{self, documents, joined};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

/// One file: its documents, as kubectl splits them.
struct Input {
    name: String,
    documents: Vec<String>,
    options: Options,
}

/// All cases and all manifests.
fn inputs() -> Vec<Input> {
    let mut inputs: Vec<_> = cases::all()
        .into_iter()
        .map(|case| {
            let name = case.path.file_name().unwrap().to_string_lossy().into_owned();
            let name = format!("{}/{name}", case.rule);
            Input { name, documents: documents(&case.text), options: case.options }
        })
        .collect();
    let mut manifests: Vec<_> = fs::read_dir(cases::root().join("tests/manifests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    manifests.sort();
    for path in manifests {
        let documents = documents(&fs::read_to_string(&path).unwrap());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        inputs.push(Input { name, documents, options: cases::defaults() });
    }
    inputs
}

fn report(texts: &[String], options: &Options) -> Report {
    let sources = (0..).zip(texts).map(|(index, text)| {
        let name = format!("{index:02}.yaml");
        Ok(Arc::new(Source::new(name, text.clone().into_bytes()).unwrap()))
    });
    lint(cases::engine(), sources.collect(), options, &|_, _| {}).report
}

/// All that findings say but for where in a file it is, in an order of its own.
fn told<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Vec<String> {
    let mut told: Vec<_> = findings
        .into_iter()
        .map(|finding| {
            let mut finding = finding.clone();
            finding.location = None;
            for related in &mut finding.related {
                related.location = None;
            }
            format!("{finding:#?}")
        })
        .collect();
    told.sort();
    told
}

/// The objects of a text, by group: the version doesn't count.
fn objects(text: &str, namespace: &str) -> Vec<ObjectRef> {
    let source = Arc::new(Source::new("input.yaml", text.as_bytes().to_vec()).unwrap());
    let manifests = manifest::load(source).manifests;
    manifests
        .iter()
        .filter_map(|manifest| project(&manifest.root, namespace).ok())
        .map(|projected| {
            let mut object = projected.object.meta().object_ref.clone();
            let group = object.api_version.rsplit_once('/').map_or("", |(group, _)| group);
            object.api_version = group.to_owned();
            object
        })
        .collect()
}

/// Whether an object is there twice: then the later one counts, and the order
/// means something.
fn has_duplicates(input: &Input) -> bool {
    let mut seen = BTreeSet::new();
    objects(&joined(&input.documents), &input.options.default_namespace)
        .into_iter()
        .any(|object| !object.name.is_empty() && !seen.insert(object))
}

/// Asks a question about an input several times, each with other luck.
fn for_each<S: Strategy>(
    cases: u32,
    input: &Input,
    strategy: &S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config =
        Config { cases, max_shrink_iters: 1024, failure_persistence: None, ..Config::default() };
    match TestRunner::new(config).run(strategy, property) {
        Ok(()) => {}
        Err(TestError::Fail(reason, value)) => {
            panic!("{}: {reason}\n{value:#?}", input.name)
        }
        Err(error) => panic!("{}: {error}", input.name),
    }
}

#[test]
fn the_order_of_documents_and_their_files_never_matter() {
    let mut judged = 0;
    for input in inputs() {
        if input.documents.len() < 2 || has_duplicates(&input) {
            continue;
        }
        judged += 1;
        let expected = report(&[joined(&input.documents)], &input.options);
        let expected_told = told(&expected.findings);
        let files = proptest::collection::vec(0..3_usize, input.documents.len());
        let strategy = (Just(input.documents.clone()).prop_shuffle(), files, any::<bool>());
        for_each(6, &input, &strategy, |(documents, files, split)| {
            let mut texts = vec![Vec::new(); 3];
            for (document, file) in documents.into_iter().zip(files) {
                texts[if split { file } else { 0 }].push(document);
            }
            texts.retain(|documents| !documents.is_empty());
            let texts: Vec<_> = texts.iter().map(|documents| joined(documents)).collect();
            let found = report(&texts, &input.options);
            prop_assert_eq!(&told(&found.findings), &expected_told);
            prop_assert_eq!(found.summary.objects, expected.summary.objects);
            prop_assert_eq!(&found.faults, &expected.faults);
            Ok(())
        });
    }
    assert!(judged > 100, "only {judged} inputs have an order");
}

const CONFIG_MAP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: NAME
  namespace: NAMESPACE
data:
  colour: blue
  retries: \"3\"
";

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
  namespace: NAMESPACE
spec:
  selector:
    matchLabels:
      example.com/bystander: NAME
  template:
    metadata:
      labels:
        example.com/bystander: NAME
    spec:
      containers:
        - name: NAME
          image: registry.example.com/bystander:1.0
          ports:
            - name: bystander
              containerPort: 7777
";

const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: NAME
  namespace: NAMESPACE
spec:
  CLUSTER_IP
  selector:
    example.com/bystander: NAME
  ports:
    - name: bystander
      port: 7777
";

const STATEFUL_SET: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: NAME
  namespace: NAMESPACE
spec:
  serviceName: NAME
  replicas: 3
  selector:
    matchLabels:
      example.com/bystander: NAME
  template:
    metadata:
      labels:
        example.com/bystander: NAME
    spec:
      containers:
        - name: NAME
          image: registry.example.com/bystander:1.0
          ports:
            - name: bystander
              containerPort: 7777
";

/// Objects that have nothing to do with any other: names and labels of their
/// own, in this namespace or in one of their own.
fn bystanders(namespace: &str) -> impl Strategy<Value = Vec<String>> + use<> {
    let fill = |template: &str, name: &str, namespace: &str| {
        template.replace("NAMESPACE", namespace).replace("NAME", name).replace("  CLUSTER_IP\n", "")
    };
    let namespace = prop_oneof![Just(namespace.to_owned()), "bystanders-[a-z]{1,6}"];
    (0..4_usize, "bystander-[a-z]{1,6}", namespace).prop_map(move |(kind, name, namespace)| {
        let headless = SERVICE.replace("CLUSTER_IP", "clusterIP: None");
        let templates: &[&str] = match kind {
            0 => &[CONFIG_MAP],
            1 => &[DEPLOYMENT],
            2 => &[DEPLOYMENT, SERVICE],
            _ => &[&headless, STATEFUL_SET],
        };
        templates.iter().map(|template| fill(template, &name, &namespace)).collect()
    })
}

#[test]
fn bystanders_never_change_what_is_said_of_others() {
    for input in inputs() {
        let own = objects(&joined(&input.documents), &input.options.default_namespace);
        let namespace = own
            .iter()
            .map(|object| object.namespace.as_str())
            .find(|namespace| !namespace.is_empty())
            .unwrap_or(&input.options.default_namespace);
        // A NetworkPolicy may be about every Pod of its namespace: nobody stands by.
        let is_policed = own.iter().any(|object| object.kind == "NetworkPolicy");
        let namespace = if is_policed { "bystanders" } else { namespace };
        let expected = told(&report(&[joined(&input.documents)], &input.options).findings);
        let strategy = (
            proptest::collection::vec((bystanders(namespace), any::<prop::sample::Index>()), 1..4),
            any::<bool>(),
        );
        for_each(4, &input, &strategy, |(groups, apart)| {
            let (mut documents, mut others) = (input.documents.clone(), Vec::new());
            for (group, index) in groups {
                let at = index.index(documents.len() + 1);
                if apart {
                    others.extend(group);
                } else {
                    documents.splice(at..at, group);
                }
            }
            let mut texts = vec![joined(&documents)];
            texts.extend((!others.is_empty()).then(|| joined(&others)));
            let found = report(&texts, &input.options);
            let of_others = found
                .findings
                .iter()
                .filter(|finding| !finding.object.name.starts_with("bystander-"));
            prop_assert_eq!(told(of_others), expected.clone());
            Ok(())
        });
    }
}

#[test]
fn the_same_bytes_give_the_same_report_whoever_judges_first() {
    let inputs = inputs();
    let each = inputs.iter().map(|input| (vec![joined(&input.documents)], input.options.clone()));
    // Everything at once: many files, and many objects of one name.
    let all = inputs.iter().map(|input| joined(&input.documents)).collect();
    let runs: Vec<_> = each.chain([(all, cases::defaults())]).collect();
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let reports = |threads| -> Vec<String> {
        pool(threads).install(|| {
            runs.iter()
                .map(|(texts, options)| serde_json::to_string(&report(texts, options)).unwrap())
                .collect()
        })
    };
    let once = reports(1);
    for threads in [1, 2, 4] {
        for ((first, again), (texts, _)) in once.iter().zip(reports(threads)).zip(&runs) {
            assert_eq!(*first, again, "with {threads} threads, of {}", texts[0]);
        }
    }
}
