//! Signs of a template that wasn't rendered.

/// What only Helm's actions hold.
const HELM: [&str; 9] = [
    ".Values",
    ".Release",
    ".Chart",
    ".Capabilities",
    ".Template",
    ".Files",
    "include ",
    "tpl ",
    "toYaml ",
];

/// Whether a plain scalar waits to be rendered: it holds a `{{ … }}` of Helm,
/// or one inside a word, as in `web-{{ name }}`. Prose with `{{ $labels.pod }}`
/// is left alone: rendered Prometheus rules are full of it, without quotes.
pub(super) fn inside(scalar: &str) -> bool {
    let (mut rest, mut found, mut prose) = (scalar, false, false);
    while let Some((before, action)) = rest.split_once("{{") {
        let Some((action, behind)) = action.split_once("}}") else { break };
        if HELM.iter().any(|sign| action.contains(sign)) {
            return true;
        }
        found = true;
        prose |= before.contains(char::is_whitespace);
        rest = behind;
    }
    found && !prose && !rest.contains(char::is_whitespace)
}

/// The length of the `{{ … }}` that the text starts with. YAML takes it for a
/// mapping whose key is a mapping, which no object has.
pub(super) fn action(text: &str) -> Option<usize> {
    text.strip_prefix("{{")?;
    Some(text.find("}}").map_or(2, |end| end + 2))
}

/// The first `{{ … }}` on the line at an offset, as a range of the text up to
/// the end of the action or the line.
pub(super) fn on_line(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let at = text.floor_char_boundary(at);
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    let line = &text[start..end];
    let opening = line.find("{{")?;
    let closing = line[opening..].find("}}").map_or(line.trim_end().len(), |end| opening + end + 2);
    Some(start + opening..start + closing)
}

/// Why a document is left out, for a user.
pub(super) fn reason(action: &str, line: u32) -> String {
    let action = action.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = action.chars().take(60).collect();
    if short.len() < action.len() {
        short.push('…');
    }
    format!(
        "not rendered: `{short}` on line {line}; check the output of `helm template` or of your own renderer"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_scalar_waits_to_be_rendered_unless_it_is_prose() {
        for (scalar, expected) in [
            ("web-{{ .Release.Name }}", true),
            ("echo {{ .Values.greeting }} there", true),
            ("{{ name }}", true),
            ("web-{{ name }}-{{ zone }}", true),
            ("Pod {{ $labels.pod }} restarts {{ $value }} times", false),
            ("no action", false),
            ("{{ never closed", false),
        ] {
            assert_eq!(inside(scalar), expected, "{scalar}");
        }
    }

    #[test]
    fn the_action_on_a_line_is_found() {
        let text = "a: b\nc: {{ x }}-y\nd: {{ open\n";
        let on = |at| on_line(text, at).map(|range| &text[range]);
        assert_eq!(
            [on(0), on(6), on(16), on(20)],
            [None, Some("{{ x }}"), Some("{{ x }}"), Some("{{ open")]
        );
    }
}
