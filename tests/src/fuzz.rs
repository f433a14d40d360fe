//! What must hold for any bytes.

use std::sync::{Arc, OnceLock};

use headlint_policies::engine::{Engine, Limits};
use headlint_policies::lint::{Options, lint};
use headlint_policies::manifest::{
    Loaded, Node, Source, Span, Value, load, load_by_libyaml, locate,
};

/// Reads bytes in every way that the linter does, without policies.
///
/// # Panics
/// When something does not hold.
pub fn check(bytes: &[u8]) {
    let source = match Source::new("-", bytes.to_vec()) {
        Ok(source) => Arc::new(source),
        Err(error) => {
            assert!(error.line.is_some_and(|line| line >= 1), "{error:?}");
            return;
        }
    };
    let loaded = load(Arc::clone(&source));
    same(&loaded, &load_by_libyaml(Arc::clone(&source)));
    let lines = source.text.split('\n').count();
    let is_line = |line: u32| (1..=lines).contains(&(line as usize));
    for error in &loaded.errors {
        assert!(error.line.is_some_and(is_line), "{error:?}");
    }
    for skipped in &loaded.skipped {
        assert!(is_line(skipped.line), "{skipped:?}");
    }
    for manifest in &loaded.manifests {
        assert_eq!(manifest.document.tree(), manifest.root, "an object is read again as it was");
        let mut spans = vec![manifest.document.span()];
        for duplicate in &manifest.duplicates {
            assert!(duplicate.first < duplicate.last, "{duplicate:?}");
            spans.extend([duplicate.first, duplicate.last]);
        }
        nodes(&source, &manifest.root, &mut spans);
        stand(&source, spans);
    }
    lints(source);
}

/// The short way through everyday YAML and libyaml read the same, to the last
/// place and duplicate.
///
/// # Panics
/// When they don't.
pub fn same(ours: &Loaded, by_libyaml: &Loaded) {
    assert_eq!(ours.errors, by_libyaml.errors);
    assert_eq!(ours.skipped, by_libyaml.skipped);
    assert_eq!(ours.documents, by_libyaml.documents);
    assert_eq!(ours.manifests.len(), by_libyaml.manifests.len());
    for (ours, theirs) in ours.manifests.iter().zip(&by_libyaml.manifests) {
        assert_eq!(ours.root, theirs.root);
        assert_eq!(ours.duplicates, theirs.duplicates);
        assert_eq!(ours.document.span(), theirs.document.span());
    }
}

/// Spans of a tree, and of parts of its strings.
fn nodes(source: &Source, node: &Node, spans: &mut Vec<Span>) {
    spans.push(node.span);
    match &node.value {
        Value::Sequence(items) => items.iter().for_each(|item| nodes(source, item, spans)),
        Value::Mapping(entries) => {
            for entry in entries {
                spans.push(entry.key_span);
                nodes(source, &entry.value, spans);
            }
        }
        Value::String(text) => {
            let middle = text.len() / 2;
            for range in [0..text.len(), 0..middle, middle..text.len(), middle..middle + 1] {
                if text.get(range.clone()).is_none() {
                    continue;
                }
                let part = locate(source, node, range);
                let inside = node.span.start <= part.start && part.end <= node.span.end;
                assert!(inside, "{part:?} of {:?}", node.span);
                spans.push(part);
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
    }
}

/// Every span is a piece of the text, and positions follow offsets.
fn stand(source: &Source, spans: Vec<Span>) {
    let mut offsets = Vec::new();
    for span in spans {
        assert!(source.text.get(span.range()).is_some(), "{span:?} is no piece of the text");
        offsets.extend([span.start, span.end]);
    }
    offsets.sort_unstable();
    offsets.dedup();
    let positions: Vec<_> = offsets.iter().map(|at| source.position(*at)).collect();
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
}

/// The rest of the way, without policies: projection, snapshot, rules about
/// text.
fn lints(source: Arc<Source>) {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| Engine::new(Limits::default(), 1, None).expect("an engine"));
    let options =
        Options { complete: false, default_namespace: "default".to_owned(), ..Options::default() };
    let text = Arc::clone(&source);
    let report = lint(engine, vec![Ok(source)], &options, &|_, _| {}).report;
    for finding in &report.findings {
        let place = finding.location.as_ref().expect("it was read from a file");
        assert!(text.text.get(place.bytes.clone()).is_some(), "{finding:?}");
    }
}
