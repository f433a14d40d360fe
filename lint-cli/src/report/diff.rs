//! What would change, as a patch.

use similar::TextDiff;

/// A unified diff of one file, as `git apply` takes it.
pub fn render(file: &str, before: &str, after: &str) -> String {
    let file = super::relative(file).trim_start_matches('/');
    let names = (format!("a/{file}"), format!("b/{file}"));
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header(&names.0, &names.1)
        .to_string()
}
