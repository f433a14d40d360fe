//! JSON. A report's shape is `schema/headlint.dev.v1.json`.

use std::fmt::Write;

use serde::Serialize;

/// Indented, with a line break at the end.
///
/// JSON itself allows DEL and the C1 control characters in strings; they are
/// escaped, since a terminal may obey them.
pub fn render<T: Serialize>(value: &T) -> String {
    let json = serde_json::to_string_pretty(value).expect("a report has string keys only");
    let mut out = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes all");
            }
            _ => out.push(c),
        }
    }
    out.push('\n');
    out
}
