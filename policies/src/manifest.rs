//! Bytes to Kubernetes objects, meaning what they mean to kubectl.
//!
//! ```text
//! bytes ─source─▶ text ─stream─▶ chunks ─yaml/json─▶ Node ─object─▶ Manifest
//!                                          │ scalar                 Skipped
//!                                          └ problem ─────────────▶ InputError
//! ```
//!
//! - [`Source`]: decoding, lines and columns.
//! - `stream`: the text lines `---`, and JSON values one behind the other.
//! - `yaml`: libyaml's events to a [`Node`] tree, with go-yaml v2's aliases and
//!   merges; `scalar`: its YAML 1.1 scalars; `json`: JSON as it is.
//! - `object`: Kubernetes objects out of documents, lists taken apart;
//!   `classify`: which documents are objects; `origin`: reading them again.
//! - `problem`, `template`: why a text could not be read, in plain words.
//! - `edit`: edits of an object as changes of its text.
//! - [`locate()`]: from a part of a string back to the text.

mod classify;
mod edit;
mod json;
mod locate;
mod node;
mod object;
mod origin;
mod problem;
mod scalar;
mod search;
mod source;
mod stream;
mod template;
mod yaml;

use std::sync::Arc;

pub use self::edit::Splice;
pub use self::locate::locate;
pub use self::node::{Entry, Node, Span, Style, Value};
use self::origin::Format;
pub use self::search::{Texts, has_one};
pub use self::source::{MAX_SOURCE_BYTES, Position, Source, too_large};
use crate::finding::{InputError, Skipped};

/// The deepest nesting that is read. kubectl's own limit is 10,000; real
/// manifests stay below 40. A tree is built, walked and dropped by recursion,
/// and must fit a thread's stack.
pub const MAX_DEPTH: usize = 256;

/// The most values in one document: some 60 MB of usual YAML. A dense text such
/// as `[a,a,…]` takes 60 times its size as a tree, so that this bounds memory
/// at about a gigabyte.
pub const MAX_NODES: usize = 5_000_000;

/// One Kubernetes object in a file: where it is, and how to read it again.
#[derive(Clone, Debug)]
pub struct Document {
    source: Arc<Source>,
    span: Span,
    origin: origin::Origin,
}

impl Document {
    /// The file that it is in.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The whole object, an item of a list by itself.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Line of its first key, counting from 1.
    pub fn line(&self) -> u32 {
        self.source.position(self.span.start).line
    }

    /// Whether one of these texts may be in the object, as [`has_one`] tells; where
    /// it can't be read without what is around it, in that.
    pub fn has_one(&self, texts: &Texts) -> bool {
        has_one(self.origin.text(&self.source).as_bytes(), texts)
    }

    /// Reads the object again: trees are not kept in memory.
    pub fn tree(&self) -> Node {
        self.origin.tree(&self.source)
    }
}

/// One Kubernetes object.
#[derive(Debug)]
pub struct Manifest {
    /// Where it is.
    pub document: Document,
    /// A mapping with the strings `apiVersion` and `kind`.
    pub root: Node,
    /// Keys of it that are written twice.
    pub duplicates: Vec<Duplicate>,
}

/// A key that is written more than once in one mapping, or becomes the same
/// key once YAML 1.1 has made strings of all keys (`on` and `y`). What a merge
/// brings isn't counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The key.
    pub key: String,
    /// The token that is overridden.
    pub first: Span,
    /// The token that counts, unless there is a third.
    pub last: Span,
    /// Whether both lead to the same value, so that nothing is lost.
    pub same: bool,
}

/// All that one source holds, each list in the order of the text.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Kubernetes objects, items of lists one by one.
    pub manifests: Vec<Manifest>,
    /// Documents, or items of lists, that can't be read.
    pub errors: Vec<InputError>,
    /// Documents that hold no Kubernetes object.
    pub skipped: Vec<Skipped>,
    /// Documents, empty ones left out.
    pub documents: usize,
}

/// Reads all documents of a source. One that can't be read doesn't stop the
/// others, where kubectl would stop.
pub fn load(source: Arc<Source>) -> Loaded {
    read(&source, Format::Yaml)
}

/// The same, with libyaml for all that is YAML: slower, and what the short way
/// through everyday documents is held against.
#[doc(hidden)]
pub fn load_by_libyaml(source: Arc<Source>) -> Loaded {
    read(&source, Format::YamlByLibyaml)
}

fn read(source: &Arc<Source>, yaml: Format) -> Loaded {
    let mut loaded = Loaded::default();
    for chunk in stream::split(&source.text) {
        object::read(source, chunk, yaml, &mut loaded);
    }
    loaded
}

/// A part of a source that says nothing about the others: a document, or a
/// mistake where one should be.
#[derive(Debug)]
pub struct Piece(stream::Chunk);

/// The pieces of a source, in the order of the text. What [`load`] finds in
/// the source is what [`Piece::load`] finds in them.
pub fn pieces(source: &Source) -> Vec<Piece> {
    stream::split(&source.text).into_iter().map(Piece).collect()
}

impl Piece {
    /// Reads a piece of this very source.
    pub fn load(self, source: &Arc<Source>) -> Loaded {
        let mut loaded = Loaded::default();
        object::read(source, self.0, Format::Yaml, &mut loaded);
        loaded
    }
}

/// The tree of a text with one document, whatever it is.
#[cfg(test)]
pub(crate) fn tree(text: &str) -> Node {
    let read = origin::parse(text, 0, origin::Format::Yaml);
    read.ok().flatten().expect("it is YAML").root
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";

    /// Loads a text and reads every object a second time.
    fn loaded(text: &str) -> Loaded {
        let source = Source::new("f.yaml", text.into()).unwrap();
        let loaded = load(Arc::new(source));
        for manifest in &loaded.manifests {
            assert_eq!(manifest.document.tree(), manifest.root);
        }
        loaded
    }

    fn kinds(loaded: &Loaded) -> Vec<&str> {
        loaded
            .manifests
            .iter()
            .map(|manifest| manifest.root.get("kind").unwrap().as_str().unwrap())
            .collect()
    }

    /// Line and text of errors.
    fn errors(loaded: &Loaded) -> Vec<(u32, &str)> {
        loaded.errors.iter().map(|error| (error.line.unwrap(), error.message.as_str())).collect()
    }

    fn skipped(loaded: &Loaded) -> Vec<(u32, &str)> {
        loaded.skipped.iter().map(|skipped| (skipped.line, skipped.reason.as_str())).collect()
    }

    #[test]
    fn documents_are_counted_without_empty_ones() {
        let loaded =
            loaded(&format!("# c\n---\n---\n{OBJECT}---\n# d\n---\n~\n---\na: b\n---\n[\n"));
        assert_eq!((loaded.documents, kinds(&loaded)), (3, vec!["ConfigMap"]));
        assert_eq!((loaded.skipped.len(), loaded.errors.len()), (1, 1));
    }

    #[test]
    fn one_bad_document_does_not_stop_the_others() {
        let loaded = loaded(&format!("a: \"x\n---\n{OBJECT}---\na: b: c\n---\n{OBJECT}"));
        assert_eq!(kinds(&loaded), ["ConfigMap", "ConfigMap"]);
        assert_eq!(loaded.manifests[1].document.line(), 9);
        let lines: Vec<_> = errors(&loaded).iter().map(|error| error.0).collect();
        assert_eq!(lines, [1, 7]);
    }

    /// The whole file was discarded.
    #[test]
    fn a_byte_that_is_no_utf8_spoils_only_its_document() {
        let json = "{\"apiVersion\":\"v1\",\"kind\":\"A\"}\n";
        for (text, line) in [
            (format!("{OBJECT}---\n# ?\n{OBJECT}---\n{OBJECT}"), 5),
            (format!("{json}{json}{}{json}", json.replace('A', "?")), 3),
        ] {
            let bytes = text.bytes().map(|byte| if byte == b'?' { 0xFF } else { byte }).collect();
            let loaded = load(Arc::new(Source::new("f.yaml", bytes).unwrap()));
            assert!(
                matches!(errors(&loaded)[..], [(at, message)]
                    if at == line && message.starts_with("byte 0xFF is not UTF-8 here")),
                "{:?}",
                loaded.errors
            );
            assert_eq!(loaded.manifests.len(), loaded.documents - 1);
        }
    }

    #[test]
    fn what_is_no_kubernetes_object_is_skipped() {
        for (text, reason) in [
            ("replicaCount: 1\n", "no apiVersion and kind"),
            ("apiVersion: v2\nname: chart\n", "no kind"),
            ("kind: pipeline\nsteps: []\n", "no apiVersion"),
            ("services: {web: {image: nginx}}\n", "no apiVersion and kind"),
            ("- a\n", "of type list, not a Kubernetes object"),
            ("text\n", "of type string, not a Kubernetes object"),
            (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
                "a Kustomization for kustomize: check the output of `kubectl kustomize`",
            ),
        ] {
            let loaded = loaded(&format!("\n{text}"));
            assert_eq!((skipped(&loaded), loaded.errors.len()), (vec![(2, reason)], 0), "{text}");
        }
    }

    #[test]
    fn what_is_meant_as_an_object_is_an_error() {
        for (text, line, message) in [
            ("apiVersion: v1\nmetadata: {name: x}\n", 1, "this object has no kind"),
            ("kind: Service\nspec: {}\n", 1, "this object has no apiVersion"),
            (
                "apiVersion: v1\nkind: 3\nspec: {}\n",
                2,
                "kind must be a string, and is of type integer",
            ),
            ("apiVersion: v1\nkind: ''\nspec: {}\n", 2, "kind must be a string, and is empty"),
            ("\napiVersion: v1\nkind: Service\n", 2, "this Service has no name"),
            (
                "apiVersion: v1\nkind: Service\nmetadata:\n  name: ''\n  generateName:\n",
                4,
                "this Service has no name",
            ),
            ("apiVersion: v1\nkind: PodList\nitems:\n- spec: {}\n", 4, "this Pod has no name"),
            ("apiVersion: v1\nkind: List\nitems: {a: b}\n", 3, "`items` makes a list of this List"),
            (
                "apiVersion: v1\nkind: List\nitems:\n- a\n",
                4,
                "item 0 of this List is of no use (of type string",
            ),
            (
                "apiVersion: v1\nkind: List\nitems: [{spec: {}}]\n",
                3,
                "item 0 of this List is of no use",
            ),
            (
                "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items: []\n",
                4,
                "a list inside a list, which kubectl refuses",
            ),
        ] {
            let loaded = loaded(text);
            let errors = errors(&loaded);
            assert!(
                matches!(errors[..], [(at, is)] if at == line && is.starts_with(message)),
                "{errors:?}"
            );
        }
    }

    #[test]
    fn items_of_lists_are_objects_of_their_own() {
        let yaml = "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: A\n    ä: |+\n      x\n\n\n  - apiVersion: v1\n    kind: B\n";
        let json = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"A"},{"apiVersion":"v1","kind":"B"}]}"#;
        let flow = "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: A}, {apiVersion: v1, kind: B}]\n";
        let tied = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  m: &m {a: b}\n- apiVersion: v1\n  kind: B\n  m: *m\n";
        for (text, line) in [(yaml, 10), (json, 1), (flow, 3), (tied, 7)] {
            let loaded = loaded(text);
            assert_eq!((kinds(&loaded), loaded.documents), (vec!["A", "B"], 1));
            let last = &loaded.manifests[1].document;
            assert_eq!(last.line(), line);
            assert!(text[last.span().range()].starts_with(['a', '{']));
        }
    }

    #[test]
    fn an_item_that_ends_in_blanks_is_read_again_as_it_was() {
        for end in ["", "   ", "      ", "      \n", "\u{A0}", "      \n   "] {
            let item = "- apiVersion: v1\n  kind: A\n  a: |\n    x\n";
            loaded(&format!("apiVersion: v1\nkind: List\nitems:\n{item}{end}\n{item}{end}"));
        }
    }

    #[test]
    fn a_typed_list_names_its_items() {
        let loaded = loaded(
            "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a}\n- metadata: {generateName: b-}\n",
        );
        assert_eq!(kinds(&loaded), ["Service", "Service"]);
        let root = loaded.manifests[0].root.to_json().to_string();
        assert_eq!(root, r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}}"#);
    }

    #[test]
    fn duplicates_belong_to_their_object() {
        let loaded = loaded(
            "apiVersion: v1\nkind: AList\nitems:\n- {a: 1, a: 2}\n- {b: 1}\n- {c: 1, c: 2}\n",
        );
        let keys: Vec<Vec<_>> = loaded
            .manifests
            .iter()
            .map(|manifest| {
                manifest.duplicates.iter().map(|duplicate| duplicate.key.as_str()).collect()
            })
            .collect();
        assert_eq!(keys, [vec!["a"], vec![], vec!["c"]]);
    }

    #[test]
    fn a_template_that_was_not_rendered_is_skipped() {
        for (text, action) in [
            (
                "apiVersion: v1\nkind: A\nmetadata:\n  name: {{ .Release.Name }}\n",
                "`{{ .Release.Name }}` on line 4",
            ),
            (
                "apiVersion: v1\nkind: A\nmetadata:\n  name: {{ .Release.Name }}-x\n",
                "`{{ .Release.Name }}` on line 4",
            ),
            ("apiVersion: v1\nkind: A\nmetadata:\n  name: x-{{ .a }}\n", "`x-{{ .a }}` on line 4"),
            (
                "{{- if .Values.a }}\napiVersion: v1\nkind: A\n{{- end }}\n",
                "`{{- if .Values.a }}` on line 1",
            ),
            ("{{/*\nCopyright\n*/}}\napiVersion: v1\nkind: A\n", "`{{/* Copyright */}}` on line 1"),
            (
                "a:\n  {{- toYaml .Values.b | nindent 2 }}\nc: d\n",
                "`{{- toYaml .Values.b | nindent 2 }}` on line 2",
            ),
            ("a: \"{{ include \"b\" . }}\"\n", "`{{ include \"b\" . }}` on line 1"),
        ] {
            let loaded = loaded(text);
            let reason = format!(
                "not rendered: {action}; check the output of `helm template` or of your own renderer"
            );
            assert_eq!(
                (skipped(&loaded), errors(&loaded)),
                (vec![(1, reason.as_str())], vec![]),
                "{text}"
            );
        }
    }

    #[test]
    fn braces_in_quotes_blocks_and_prose_are_text() {
        let text = format!(
            "{OBJECT}a: \"{{{{ .x }}}}\"\nb: |\n  {{{{ if y }}}}\nc: Pod {{{{ $labels.pod }}}} fails\n"
        );
        assert_eq!(loaded(&text).manifests.len(), 1);
        let broken = format!("{text} d: e\n");
        assert_eq!(errors(&loaded(&broken)).len(), 1);
    }

    #[test]
    fn text_behind_a_separator_is_one_error() {
        let loaded = loaded(&format!("a: \"\n--- b\"\nc: [\n---\n{OBJECT}"));
        assert_eq!(errors(&loaded).len(), 1);
        assert!(errors(&loaded)[0].1.starts_with("kubectl refuses text behind `---`"));
        assert_eq!(kinds(&loaded), ["ConfigMap"]);
    }

    /// An object was lost without a word where a trailing comma made YAML of
    /// the first of several JSON values.
    #[test]
    fn text_behind_a_complete_document_is_an_error() {
        let json = |name| format!("{{\"apiVersion\":\"v1\",\"kind\":\"A\",\"a\":\"{name}\",}}\n");
        let strict = json("s").replace(",}", "}");
        for (text, line, objects) in [
            (json("a") + &json("b"), 2, 1),
            (format!("# c\n{strict}{strict}---\n{OBJECT}"), 3, 2),
            (strict.clone() + &json("a") + &strict, 3, 2),
            (format!("~\n...\n{OBJECT}"), 3, 0),
        ] {
            let loaded = loaded(&text);
            assert!(
                matches!(errors(&loaded)[..], [(at, message)]
                    if at == line && message.starts_with("kubectl never reads this")),
                "{text}: {:?}",
                loaded.errors
            );
            assert_eq!(loaded.manifests.len(), objects, "{text}");
        }
    }

    #[test]
    fn text_behind_an_end_marker_is_skipped() {
        let loaded = loaded(&format!("{OBJECT}...\n{OBJECT}"));
        assert_eq!(kinds(&loaded).len(), 1);
        assert!(
            matches!(skipped(&loaded)[..], [(5, reason)] if reason.starts_with("behind `...`"))
        );
    }
}
