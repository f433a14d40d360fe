//! Comments that exempt: `# headlint: ignore[rule-a, rule-b]`, behind what is
//! found, or on a line of its own above it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;

use crate::finding::{Finding, Location};
use crate::manifest::{Source, Span};

/// What stands behind the `#`.
const MARK: &str = "headlint:";

/// A rule that a comment names.
#[derive(Debug)]
pub(super) struct Named {
    /// The file.
    pub(super) source: Arc<Source>,
    /// The line whose findings it covers, counting from 1.
    pub(super) line: u32,
    /// Its id, as it is written; empty where the comment names none.
    pub(super) rule: String,
    /// Where the id stands.
    pub(super) span: Span,
    used: bool,
}

/// All comments of a run.
#[derive(Debug, Default)]
pub(super) struct Comments(HashMap<String, Vec<Named>>);

impl Comments {
    pub(super) fn of(sources: &[Arc<Source>]) -> Self {
        let mut comments = Self::default();
        for source in sources {
            let found: Vec<_> = memmem::find_iter(source.text.as_bytes(), MARK)
                .filter_map(|at| comment(source, at))
                .flatten()
                .collect();
            if !found.is_empty() {
                comments.0.entry(source.name.clone()).or_default().extend(found);
            }
        }
        comments
    }

    /// Whether a finding is covered; what covers it has been used then.
    pub(super) fn cover(&mut self, finding: &Finding) -> bool {
        let Some(Location { file, line, .. }) = &finding.location else { return false };
        let Some(comments) = self.0.get_mut(file) else { return false };
        let mut covered = false;
        for named in comments.iter_mut().filter(|it| it.line == *line && it.rule == finding.rule) {
            named.used = true;
            covered = true;
        }
        covered
    }

    /// The names that covered nothing.
    pub(super) fn unused(&self) -> impl Iterator<Item = &Named> {
        self.0.values().flatten().filter(|named| !named.used)
    }
}

/// The rules of a comment whose mark stands there; none if it is no comment.
fn comment(source: &Arc<Source>, at: usize) -> Option<Vec<Named>> {
    let text = source.text.as_str();
    let before = text[..at].trim_end_matches([' ', '\t']).strip_suffix('#')?;
    let indent = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
    if !indent.is_empty() && !indent.ends_with([' ', '\t']) {
        return None;
    }
    let line_end = text[at..].find(['\n', '\r']).map_or(text.len(), |end| at + end);
    let said = text[at + MARK.len()..line_end].trim_start().strip_prefix("ignore")?;
    if said.starts_with(|next: char| next.is_alphanumeric()) {
        return None;
    }
    let said = said.trim_start();
    let start = line_end - said.len();
    let names = match said.strip_prefix('[') {
        Some(names) => start + 1..start + 1 + names.find(']').unwrap_or(names.len()),
        None => start..start,
    };
    let mut line = source.position(Span::new(at, at).start).line;
    if indent.trim().is_empty() {
        line += 1 + comment_lines(&text[line_end..]);
    }
    let mut rules: Vec<_> = parts(text, names).collect();
    if rules.is_empty() {
        rules.push(at..at);
    }
    let named = rules.into_iter().map(|part| Named {
        source: Arc::clone(source),
        line,
        rule: text[part.clone()].to_owned(),
        span: match part.is_empty() {
            true => Span::new(at, line_end),
            false => Span::new(part.start, part.end),
        },
        used: false,
    });
    Some(named.collect())
}

/// How many lines of nothing but a comment follow the line that ends here.
fn comment_lines(rest: &str) -> u32 {
    let lines = rest.split('\n').skip(1).take_while(|line| line.trim_start().starts_with('#'));
    u32::try_from(lines.count()).unwrap_or(u32::MAX)
}

/// What stands between commas, without blanks.
fn parts(text: &str, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = range.start;
    text[range].split(',').filter_map(move |part| {
        let start = at + (part.len() - part.trim_start().len());
        at += part.len() + 1;
        (!part.trim().is_empty()).then(|| start..start + part.trim().len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(u32, String)> {
        let source = Arc::new(Source::new("a.yaml", text.into()).unwrap());
        let comments = Comments::of(&[source]);
        comments.unused().map(|named| (named.line, named.rule.clone())).collect()
    }

    #[test]
    fn a_comment_covers_its_own_line_or_the_next_one_with_content() {
        for (text, line) in [
            ("a: b # headlint: ignore[r]\n", 1),
            ("# headlint: ignore[r]\na: b\n", 2),
            ("a:\n  # headlint: ignore[r] for good reasons\n  # why\n  b: c\n", 4),
            ("a: b\t#headlint: ignore[r]\r\n", 1),
            ("a: b #  headlint:  ignore [r]\n", 1),
            ("a: b # headlint:ignore[r]\n", 1),
            ("# headlint: ignore[r\na: b\n", 2),
            ("a: b\n# headlint: ignore[r]", 3),
        ] {
            assert_eq!(names(text), [(line, "r".to_owned())], "{text:?}");
        }
    }

    #[test]
    fn rules_stand_between_commas() {
        let found = names("a: b # headlint: ignore[rule-a, rule-b ,]\n");
        assert_eq!(found, [(1, "rule-a".to_owned()), (1, "rule-b".to_owned())]);
    }

    #[test]
    fn a_comment_may_name_no_rule() {
        for text in ["a: b # headlint: ignore\n", "a: b # headlint: ignore[] why\n"] {
            assert_eq!(names(text), [(1, String::new())], "{text:?}");
        }
    }

    #[test]
    fn what_is_no_comment_exempts_nothing() {
        for text in [
            "a: b#headlint: ignore[r]\n",
            "a: headlint: ignore[r]\n",
            "# headlint ignore[r]\n",
            "# headlint: ignores what it doesn't know\n",
            "# see: headlint: ignore[r]\n",
        ] {
            assert_eq!(names(text), [], "{text:?}");
        }
    }
}
