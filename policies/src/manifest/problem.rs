//! Why a text can't be read, in words for who wrote it.

use libyaml_safer::{Error, ErrorKind};

use super::node::offset;
use super::{MAX_DEPTH, MAX_NODES};

/// What is wrong and the remedy, at an offset of the source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    pub(super) at: u32,
    /// Where the part that it belongs to begins.
    pub(super) context: Option<u32>,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(at: u32, message: String) -> Self {
        Self { at, context: None, message }
    }

    pub(super) fn too_deep(at: u32) -> Self {
        Self::new(
            at,
            format!(
                "nested deeper than {MAX_DEPTH} levels, the most that headlint reads: flatten it"
            ),
        )
    }

    pub(super) fn too_many(at: u32) -> Self {
        Self::new(
            at,
            format!(
                "more than {MAX_NODES} values in one document, the most that headlint reads: split it"
            ),
        )
    }

    /// Translates an error of the YAML parser that read `text`, which starts
    /// at the offset `base` of its source.
    pub(super) fn from_libyaml(error: &Error, text: &str, base: u32) -> Self {
        let byte = |mark: libyaml_safer::Mark| {
            let index = usize::try_from(mark.index).unwrap_or(text.len()).min(text.len());
            text.floor_char_boundary(index)
        };
        if error.kind() == ErrorKind::Reader {
            let at = text.find(is_control).unwrap_or(0);
            let message = match text[at..].chars().next() {
                Some(character) => format!(
                    "the control character U+{:04X} is not allowed in YAML: remove it, or escape it in double quotes",
                    u32::from(character)
                ),
                None => error.problem().to_owned(),
            };
            return Self::new(base + offset(at), message);
        }
        let mut at = error.problem_mark().map_or(text.len(), byte);
        let context = error.context_mark().map(byte);
        let message = explain(error, text, at);
        if text.starts_with('%') && error.problem() == "did not find expected <document start>" {
            at = 0;
        }
        let at_end = text[at..].trim_start().is_empty();
        // What isn't closed is found where the text ends, and a key without `:`
        // behind it.
        let unclosed = matches!(
            error.problem(),
            "found unexpected end of stream"
                | "found unexpected document indicator"
                | "did not find expected ',' or ']'"
                | "did not find expected ',' or '}'"
        );
        let earlier = unclosed && at_end || error.problem() == "could not find expected ':'";
        if let (true, Some(context)) = (earlier, context) {
            at = context;
        }
        Self {
            at: base + offset(at),
            context: context.map(|context| base + offset(context)),
            message,
        }
    }
}

/// What go-yaml's reader refuses.
///
/// # Source
/// `yaml_parser_update_buffer` in go.yaml.in/yaml/v2 v2.4.3 `readerc.go`.
fn is_control(character: char) -> bool {
    !matches!(character,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{FFFD}' | '\u{10000}'..)
}

fn explain(error: &Error, text: &str, at: usize) -> String {
    let found = text[at..].chars().next();
    let context = error.context().unwrap_or_default();
    if found == Some('\u{FEFF}') || text[..at].ends_with('\u{FEFF}') {
        return "an invisible byte order mark, U+FEFF, stands here: remove it".to_owned();
    }
    let words = match error.problem() {
        "found character that cannot start any token" => match found {
            Some('\t') => "a tab where YAML wants indentation: indent with spaces",
            Some('`') => "a value can't start with a backtick: quote it",
            Some(character) => {
                return format!("a value can't start with `{character}`: quote it");
            }
            None => "the text ends here unexpectedly",
        },
        "found a tab character that violates indentation"
        | "found a tab character where an indentation space is expected" => {
            "a tab where YAML wants indentation: indent with spaces"
        }
        "mapping values are not allowed in this context" => {
            "a `:` where no key can stand: quote the value that holds it, or correct the indentation"
        }
        "mapping keys are not allowed in this context" => {
            "a `?` where no key can stand: quote the value that starts with it, or correct the indentation"
        }
        "block sequence entries are not allowed in this context" => {
            "a list entry can't start here: put `-` on a line of its own, below its key"
        }
        "did not find expected key"
            if !text[..at].rsplit('\n').next().unwrap_or_default().trim().is_empty() =>
        {
            "text behind a closed quote or bracket: put the whole value in quotes"
        }
        "did not find expected key" => {
            "this line doesn't fit the mapping above: align it with the keys of that mapping, \
             or close the quotes before it"
        }
        "did not find expected '-' indicator" => {
            "this line doesn't fit the list above: start it with `-`, or correct the indentation"
        }
        "could not find expected ':'" => {
            "a key without `:`: add `: value`, or indent the line if it continues the one above"
        }
        "found unexpected end of stream" | "found unexpected document indicator"
            if context.contains("quoted") =>
        {
            "this quote is never closed: close it, or double a quote that belongs to the text"
        }
        "did not find expected ',' or ']'" => {
            "this list in `[ ]` goes wrong: close it with `]`, separate entries by commas, quote special characters"
        }
        "did not find expected ',' or '}'" => {
            "this mapping in `{ }` goes wrong: close it with `}`, separate entries by commas, quote special characters"
        }
        "did not find expected node content" => {
            "a value is expected here: write one, or quote the text if it starts with a special character"
        }
        "found unknown escape character" => {
            "an unknown escape in double quotes: write `\\\\` for a backslash, or use single quotes"
        }
        "did not find expected hexdecimal number"
        | "found invalid Unicode character escape code" => {
            "an incomplete or invalid `\\x` or `\\u` escape: correct it, or write `\\\\` for a backslash"
        }
        "did not find expected comment or line break" if context.contains("block scalar") => {
            "text behind `|` or `>`: move it to the next line and indent it, or quote the value"
        }
        "found an indentation indicator equal to 0" => {
            "the number behind `|` or `>` is the indentation, 1 to 9: correct it"
        }
        "did not find expected alphabetic or numeric character" if context.contains("alias") => {
            "a `*` at the start of a value is an alias: quote the value"
        }
        "did not find expected alphabetic or numeric character" => {
            "a `&` at the start of a value is an anchor: quote the value"
        }
        "did not find expected whitespace or line break"
        | "did not find expected tag URI"
        | "found undefined tag handle"
            if context.contains("tag") || context.contains("node") =>
        {
            "a `!` at the start of a value is a tag: quote the value"
        }
        "did not find expected <document start>" | "found incompatible YAML document" => {
            "kubectl can't read `%` directives, since it splits the text at `---` first: remove this line"
        }
        "found unexpected ':'" => {
            "kubectl takes this `:` for a part of the key: write a space behind it, or quote the value"
        }
        problem if context.is_empty() => return format!("not valid YAML: {problem}"),
        problem => return format!("not valid YAML: {problem} {context}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use crate::manifest::yaml;

    #[test]
    fn what_is_wrong_is_said_in_plain_words_with_its_place() {
        for (text, at, words) in [
            ("a:\n\tb: c\n", 3, "a tab where YAML wants indentation: indent with spaces"),
            ("a: \"b\nc: d\n", 3, "this quote is never closed"),
            ("a: 'b' c\n", 7, "text behind a closed quote or bracket"),
            ("a:\n  b: c\n d: e\n", 11, "this line doesn't fit the mapping above"),
            ("- a\nb: c\n", 4, "this line doesn't fit the list above"),
            ("a: b: c\n", 4, "a `:` where no key can stand"),
            ("a: - b\n", 3, "a list entry can't start here"),
            ("a: b\nc\n", 5, "a key without `:`"),
            ("a: [b\n", 3, "this list in `[ ]` goes wrong"),
            ("a: {b: c\n", 3, "this mapping in `{ }` goes wrong"),
            ("a: @b\n", 3, "a value can't start with `@`"),
            ("a: `b`\n", 3, "a value can't start with a backtick"),
            ("a: *b\n", 3, "the alias `*b` has no anchor `&b`"),
            ("a: *\n", 4, "a `*` at the start of a value is an alias"),
            ("a: &a [*a]\n", 7, "the anchor `&a` contains itself"),
            ("a: | b\n", 5, "text behind `|` or `>`"),
            ("a: |0\n b\n", 4, "the number behind `|` or `>`"),
            ("a: \"\\d\"\n", 4, "an unknown escape in double quotes"),
            ("a: !b!c d\n", 3, "a `!` at the start of a value is a tag"),
            ("%YAML 1.1\n", 0, "kubectl can't read `%` directives"),
            ("a: [b?c]\n", 4, "kubectl can't read a `?`"),
            ("%YAML 1.2\n\r---\na: b\n", 0, "kubectl reads YAML 1.1 only"),
            ("a: b\n\u{FEFF}c: d\n", 8, "an invisible byte order mark"),
            ("a: [!, b]\n", 4, "kubectl can't read a `,` right behind a tag"),
            ("a: {b:}\n", 5, "kubectl takes this `:` for a part of the key"),
            ("a: \"\0\"\n", 4, "the control character U+0000"),
            ("? [a]\n: b\n", 2, "a list or a mapping can't be a key"),
            ("~: b\n", 0, "a key is null here"),
            ("a: .inf\n", 3, "infinity and NaN"),
            ("<<: 3\n", 4, "`<<` merges a mapping"),
        ] {
            let problem = yaml::parse(text, 100).err().map(|failure| failure.problem);
            let problem = problem.unwrap_or_else(|| panic!("{text:?} was read"));
            assert!(problem.message.starts_with(words), "{text:?}: {}", problem.message);
            assert_eq!(problem.at, 100 + at, "{text:?}: {}", problem.message);
        }
    }
}
