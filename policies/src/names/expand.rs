//! `$(VAR)` in environment variables, commands and arguments.

use std::collections::HashMap;
use std::ops::Range;

/// The longest text that replacing may make, in bytes: variables that are made
/// of each other grow exponentially.
const MAX_EXPANDED: usize = 1 << 18;

/// A text with its variables replaced, that knows where its bytes come from.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    /// Variables without a known value stand in it as they were.
    pub(super) text: String,
    /// In order: bytes of `text`, and the bytes of the original that they are
    /// made of.
    replaced: Vec<(Range<usize>, Range<usize>)>,
}

/// # Source
/// kubernetes v1.36 `third_party/forked/golang/expansion/expand.go`: `$$` is a
/// dollar sign, and an unknown variable stays as it is.
pub(super) fn expand(raw: &str, variables: &HashMap<&str, String>) -> Expanded {
    let mut expanded = Expanded::default();
    let mut rest = raw;
    while let Some(at) = rest.find('$') {
        let (plain, reference) = rest.split_at(at);
        expanded.text.push_str(plain);
        let start = expanded.text.len();
        let (mut value, length) = replacement(reference, variables);
        if start + value.len() > MAX_EXPANDED {
            value = &reference[..length];
        }
        expanded.text.push_str(value);
        if value.len() != length || value != &reference[..length] {
            let from = raw.len() - reference.len();
            expanded.replaced.push((start..expanded.text.len(), from..from + length));
        }
        rest = &reference[length..];
    }
    expanded.text.push_str(rest);
    expanded
}

/// What stands for the head of a text that starts with a dollar sign, and the
/// length of that head.
fn replacement<'a>(text: &'a str, variables: &'a HashMap<&str, String>) -> (&'a str, usize) {
    if text.starts_with("$$") {
        return ("$", 2);
    }
    let name = text.strip_prefix("$(").and_then(|inside| inside.split_once(')'));
    match name {
        Some((name, _)) => {
            let length = name.len() + 3;
            (variables.get(name).map_or(&text[..length], String::as_str), length)
        }
        None => ("$", 1),
    }
}

impl Expanded {
    /// The bytes of the original that a part of `text`, which isn't empty, is
    /// made of; none where all of it comes out of one variable, and so stands
    /// elsewhere as well.
    pub(super) fn origin(&self, part: &Range<usize>) -> Option<Range<usize>> {
        let around = self.replaced_at(part.start);
        if around.is_some_and(|(to, _)| part.end <= to.end) {
            return None;
        }
        let start = around.map_or_else(|| self.shifted(part.start), |(_, from)| from.start);
        let end = match self.replaced_at(part.end - 1) {
            Some((_, from)) => from.end,
            None => self.shifted(part.end - 1) + 1,
        };
        Some(start..end)
    }

    /// What has been put where this byte is.
    fn replaced_at(&self, at: usize) -> Option<&(Range<usize>, Range<usize>)> {
        let next = self.replaced.partition_point(|(to, _)| to.end <= at);
        self.replaced.get(next).filter(|(to, _)| to.start <= at)
    }

    /// Where a byte that nothing replaced was.
    fn shifted(&self, at: usize) -> usize {
        let next = self.replaced.partition_point(|(to, _)| to.end <= at);
        match next.checked_sub(1).map(|last| &self.replaced[last]) {
            Some((to, from)) => at - to.end + from.end,
            None => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> HashMap<&'static str, String> {
        HashMap::from([("HOST", "db.prod".to_owned()), ("PORT", "5432".to_owned())])
    }

    #[test]
    fn variables_with_a_value_are_replaced() {
        for (raw, expected) in [
            ("http://$(HOST):$(PORT)/x", "http://db.prod:5432/x"),
            ("$(OTHER).db:80", "$(OTHER).db:80"),
            ("$$(HOST) $HOST ${HOST} $", "$(HOST) $HOST ${HOST} $"),
            ("$(HOST", "$(HOST"),
        ] {
            assert_eq!(expand(raw, &variables()).text, expected, "{raw}");
        }
    }

    #[test]
    fn variables_made_of_each_other_stop_growing() {
        let mut variables = HashMap::from([("A", "a".repeat(1000))]);
        for _ in 0..64 {
            let grown = expand("$(A)$(A)", &variables).text;
            variables.insert("A", grown);
        }
        assert!(variables["A"].len() <= MAX_EXPANDED + "$(A)".len() * 2);
    }

    #[test]
    fn a_part_leads_back_to_the_original_bytes() {
        let raw = "a $(HOST):80 b $(PORT) c:9";
        let expanded = expand(raw, &variables());
        let origin = |part: &str| {
            let at = expanded.text.find(part).expect("it is there");
            expanded.origin(&(at..at + part.len())).map(|range| &raw[range])
        };
        assert_eq!(origin("db.prod:80"), Some("$(HOST):80"));
        assert_eq!(origin("c:9"), Some("c:9"));
        assert_eq!(origin("5432"), None);
        assert_eq!(origin("prod:80"), Some("$(HOST):80"));
    }
}
