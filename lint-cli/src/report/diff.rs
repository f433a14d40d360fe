//! What would change, as a patch.

use similar::TextDiff;

/// A unified diff of one file, as `git apply` and `patch` take it.
pub fn render(file: &str, before: &[u8], after: &[u8]) -> Vec<u8> {
    let file = super::relative(file);
    let file = file.trim_start_matches('/');
    let (before, after) = (lines(before), lines(after));
    let mut patch = Vec::new();
    TextDiff::configure()
        .newline_terminated(true)
        .diff_slices(&before, &after)
        .unified_diff()
        .context_radius(3)
        .header(&name("a", file), &name("b", file))
        .to_writer(&mut patch)
        .expect("a Vec takes all");
    patch
}

/// Lines end at line feeds only, as everywhere in patches.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// As git writes it: in quotes where bytes would be taken for something else, and
/// before a tab where a blank would end it.
fn name(side: &str, file: &str) -> String {
    let name = format!("{side}/{file}");
    let is_plain = |byte: u8| byte >= b' ' && byte != 0x7f && byte != b'"' && byte != b'\\';
    if name.bytes().all(is_plain) {
        return if name.contains(' ') { name + "\t" } else { name };
    }
    let quoted = name.bytes().map(|byte| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        byte if is_plain(byte) && byte < 0x7f => char::from(byte).to_string(),
        byte => format!("\\{byte:03o}"),
    });
    format!("\"{}\"", quoted.collect::<String>())
}
