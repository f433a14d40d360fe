//! One YAML document to a tree, the way go-yaml v2 does it: first a list of
//! what is written, then what it means, with aliases and merges in place.
//! Everyday documents take a shorter way to the same tree (`quick`).
//!
//! # Source
//! go.yaml.in/yaml/v2 v2.4.3 `decode.go`.

mod compose;
mod expand;
mod feed;
mod quick;
mod tags;

use self::compose::Composed;
pub(super) use self::expand::Entries;
use super::Duplicate;
use super::node::{Node, Span};
use super::problem::Problem;

/// What one piece of a stream holds.
pub(super) struct Parsed {
    /// None for an empty document.
    pub(super) root: Option<Node>,
    /// Keys that are written twice in one mapping.
    pub(super) duplicates: Vec<Duplicate>,
    /// Whether aliases or directives tie its parts together.
    pub(super) entangled: bool,
    /// Text that follows in the same piece.
    pub(super) unread: Option<Unread>,
}

/// Text behind the first document of a piece, which kubectl never looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unread {
    /// Where it starts.
    pub(super) at: u32,
    /// Whether `...` stands before it.
    pub(super) marked: bool,
}

impl Unread {
    /// The text as a mistake.
    pub(super) fn problem(self) -> Problem {
        let message = "kubectl never reads this, since the document before it is complete: \
                       write `---` on a line of its own between them, or correct the line above; \
                       objects in JSON may follow each other without `---` only if all are strict JSON";
        Problem::new(self.at, message.to_owned())
    }
}

/// Why a piece can't be read.
pub(super) struct Failure {
    pub(super) problem: Problem,
    /// The first `{{ … }}` in a plain scalar, or where a value should start.
    pub(super) template: Option<Span>,
}

/// Reads the first document of `text`, which starts at the offset `base` of
/// its source.
///
/// # Errors
/// Text that kubectl can't read either, `{{ … }}` outside of quotes, and what
/// is beyond our limits.
pub(super) fn parse(text: &str, base: u32) -> Result<Parsed, Failure> {
    match quick::parse(text, base) {
        Some((root, duplicates)) => {
            Ok(Parsed { root: Some(root), duplicates, entangled: false, unread: None })
        }
        None => parse_by_libyaml(text, base),
    }
}

/// The same for any text, by libyaml.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_by_libyaml(text: &str, base: u32) -> Result<Parsed, Failure> {
    let mut composed = Composed::new(text, base);
    let read = composed.read();
    let template = composed.template;
    if let Err(problem) = read {
        return Err(Failure { problem, template });
    }
    if let Some(span) = template {
        let problem = Problem::new(span.start, "not rendered".to_owned());
        return Err(Failure { problem, template });
    }
    let (entangled, unread) = (composed.entangled, composed.unread);
    let mut duplicates = Vec::new();
    let root = expand::expand(composed.items, &mut duplicates)
        .map_err(|problem| Failure { problem, template: None })?;
    Ok(Parsed { root, duplicates, entangled, unread })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{MAX_DEPTH, Style};

    fn read(text: &str) -> Parsed {
        parse(text, 0).unwrap_or_else(|failure| panic!("{text:?}: {}", failure.problem.message))
    }

    fn json(text: &str) -> String {
        read(text).root.map_or("nothing".to_owned(), |root| root.to_json().to_string())
    }

    /// The text of a node's span, by JSON pointer without escapes.
    fn shown<'t>(text: &'t str, pointer: &str) -> &'t str {
        let root = read(text).root.unwrap();
        let node = pointer.split('/').skip(1).fold(&root, |node, step| match node.as_sequence() {
            Some(items) => &items[step.parse::<usize>().unwrap()],
            None => node.get(step).unwrap(),
        });
        &text[node.span.range()]
    }

    #[test]
    fn a_span_is_exactly_what_is_written() {
        for (text, pointer, expected) in [
            ("a: b # c\n", "/a", "b"),
            ("a: 'b' # c\n", "/a", "'b'"),
            ("a: \"b\\n\"\n", "/a", "\"b\\n\""),
            ("ä: ö\nb: ü\n", "/b", "ü"),
            ("a: one\n  two  \nb: c\n", "/a", "one\n  two"),
            ("a: |\n  x\n\n\n# c\nb: c\n", "/a", "|\n  x"),
            ("a: >-\n  x\n  y", "/a", ">-\n  x\n  y"),
            ("a: |\nb: c\n", "/a", "|"),
            ("a: |\n  x  \n \nb: c\n", "/a", "|\n  x  "),
            ("a: |\n  x\n  \u{A0}\nb: c\n", "/a", "|\n  x\n  \u{A0}"),
            ("a:\n  b: c\n  d: e # f\n\n# g\nh: i\n", "/a", "b: c\n  d: e"),
            ("a:\n- b\n- c: d\n  e: f\n\ng: h\n", "/a", "- b\n- c: d\n  e: f"),
            ("a:\n- b\n- c: d\n  e: f\n\ng: h\n", "/a/1", "c: d\n  e: f"),
            ("a: {b: c, }  # d\n", "/a", "{b: c, }"),
            ("a: [b, [c]] \n", "/a", "[b, [c]]"),
            ("a: [b: c]\n", "/a/0", "b: c"),
            ("a: &x !!str b\n", "/a", "b"),
            ("a: &x # c\n  b: c\n", "/a", "b: c"),
            ("a: !!map\n  b: c\n", "/a", "b: c"),
            ("a: &x [b]\n", "/a", "[b]"),
            ("a: &x\n- b\n", "/a", "- b"),
            ("a:\nb: c\n", "/a", ""),
            ("x:\n  a:\n\nb: c\n", "/x", "a:"),
            ("x:\n- a\n-\n\nb: c\n", "/x", "- a\n-"),
            ("x:\n  ? a\n\nb: c\n", "/x", "? a"),
            ("x:\n  a: &y # c\n\nb: c\n", "/x", "a: &y"),
            ("x:\n- !!str\n\nb: c\n", "/x", "- !!str"),
            ("a: &x one\nb: *x\n", "/b", "one"),
            ("a: &x one\nb: [*x]\n", "/b", "[*x]"),
            ("a: &x one\nb:\n  - *x\nc: d\n", "/b", "- *x"),
            ("\r\na: b\r\nc: |\r\n  x\r\nd: e\r\n", "/c", "|\r\n  x"),
            ("--- # c\na: b\n...\n", "", "a: b"),
        ] {
            assert_eq!(shown(text, pointer), expected, "{text:?} {pointer}");
        }
    }

    #[test]
    fn styles_are_kept() {
        let root = read("[a, 'b', \"c\", {}]").root.unwrap();
        let styles: Vec<_> = root.as_sequence().unwrap().iter().map(|node| node.style).collect();
        assert_eq!(
            styles,
            [Style::Plain, Style::SingleQuoted, Style::DoubleQuoted, Style::Collection]
        );
        let root = read("- |\n x\n- >\n y\n").root.unwrap();
        let styles: Vec<_> = root.as_sequence().unwrap().iter().map(|node| node.style).collect();
        assert_eq!(styles, [Style::Literal, Style::Folded]);
    }

    #[test]
    fn a_merge_acts_where_it_stands() {
        for (text, expected) in [
            ("- &b {a: 1, c: 2}\n- <<: *b\n  a: own\n", r#"{"a":"own","c":2}"#),
            // go-yaml v2 lets a merge override what is before it.
            ("- &b {a: 1, c: 2}\n- a: own\n  <<: *b\n", r#"{"a":1,"c":2}"#),
            ("- &b {a: 1, c: 2}\n- <<: [*b, {a: 9, d: 3}]\n", r#"{"a":1,"c":2,"d":3}"#),
            ("- x\n- {\"<<\": 1}\n", r#"{"<<":1}"#),
        ] {
            let root = read(text).root.unwrap();
            let merged = root.as_sequence().unwrap()[1].to_json();
            assert_eq!(
                merged,
                serde_json::from_str::<serde_json::Value>(expected).unwrap(),
                "{text}"
            );
        }
    }

    #[test]
    fn keys_written_twice_are_told_and_merged_ones_are_not() {
        let keys = |text| {
            read(text).duplicates.into_iter().map(|duplicate| duplicate.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("a: 1\nb: 2\na: 3\n'a': 4\n"), ["a", "a"]);
        assert_eq!(keys("on: 1\ny: 2\n"), ["true"]);
        assert!(keys("- &x {a: 1}\n- <<: *x\n  a: 2\n- a: 2\n  <<: *x\n").is_empty());
        let many: String = (0..100).map(|key| format!("k{key}: 1\n")).collect();
        assert_eq!(keys(&format!("{many}k7: 2\n")), ["k7"]);
        let same = |text| read(text).duplicates[0].same;
        assert!(same("a: {b: [1], c: x}\na:\n  c: 'x'\n  b:\n  - 0x1\n"));
        assert!(!same("a: 1\na: '1'\n"));
    }

    #[test]
    fn the_text_ends_with_a_newline_as_in_kubectl() {
        assert_eq!(json("a: |\n  b"), r#"{"a":"b\n"}"#);
        assert_eq!(json("a: |-\n  b"), r#"{"a":"b"}"#);
    }

    #[test]
    fn only_the_first_document_counts() {
        assert_eq!(json("a: b\n...\nc: d\n"), r#"{"a":"b"}"#);
        for (text, unread) in [
            ("a: b\n...\n\n c: d\n", Some((11, true))),
            ("a: b\n...\n# c\n", None),
            ("{a: b}\n{c: d}\n", Some((7, false))),
            ("{a: b}\n# c\n\n e: f\n", Some((13, false))),
            ("[a]\nb: c\n", Some((4, false))),
            ("a: b\r---\rc: d\r", Some((5, false))),
            ("{a: b}\n # c\n\n", None),
            ("---\na: b\n\n# c", None),
        ] {
            let found = read(text).unread.map(|unread| (unread.at, unread.marked));
            assert_eq!(found, unread, "{text:?}");
        }
    }

    #[test]
    fn what_is_empty_gives_nothing() {
        for text in ["", "\n", "# c\n", "---\n", "~\n", "null"] {
            assert_eq!(json(text), "nothing", "{text:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_in_the_middle_of_a_stream_is_skipped() {
        assert_eq!(json("\u{FEFF}a: b\n"), r#"{"a":"b"}"#);
        assert_eq!(shown("\u{FEFF}a: b\n", "/a"), "b");
    }

    #[test]
    fn nesting_is_bounded() {
        for text in
            ["[".repeat(100_000), "a: ".to_owned() + &"- ".repeat(100_000), "? ".repeat(100_000)]
        {
            let message = parse(&text, 0).err().unwrap().problem.message;
            assert!(!message.is_empty());
        }
        let text = "[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1);
        assert!(parse(&text, 0).err().unwrap().problem.message.starts_with("nested deeper"));
        read(&("[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH)));
        // Each anchor holds the one before it, one level deeper.
        let chain: String =
            (1..2 * MAX_DEPTH).map(|n| format!("- &a{n} [*a{}]\n", n - 1)).collect();
        let padding = format!("- [{}]\n", "x,".repeat(20_000));
        let message =
            parse(&format!("{padding}- &a0 x\n{chain}"), 0).err().unwrap().problem.message;
        assert!(message.starts_with("nested deeper"), "{message}");
    }

    #[test]
    fn aliases_that_multiply_are_refused() {
        let tens = |n: usize| format!("- &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(","));
        let bomb: String = (1..9).map(tens).collect();
        let long = format!("- &a {}\n- [{}]\n", "x".repeat(1 << 20), "*a,".repeat(100));
        for text in [format!("- &a0 x\n{bomb}"), long] {
            let message = parse(&text, 0).err().unwrap().problem.message;
            assert!(message.starts_with("the aliases of this document multiply"), "{message}");
        }
    }
}
