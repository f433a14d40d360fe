//! Looking for texts in objects that have not been read.

use memchr::{memchr_iter, memmem};

/// Texts to look for.
#[derive(Clone, Debug)]
pub struct Texts(Vec<memmem::Finder<'static>>);

impl Texts {
    /// # Errors
    /// One that can't be looked for as it is: something in it needs an escape, or
    /// may end a line.
    pub(crate) fn new(texts: Vec<String>) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
        let is_plain = |text: &String| !text.is_empty() && text.bytes().all(plain);
        match texts.iter().find(|text| !is_plain(text)) {
            Some(text) => Err(text.clone()),
            None => {
                Ok(Self(texts.iter().map(|text| memmem::Finder::new(text).into_owned()).collect()))
            }
        }
    }
}

/// Whether one of these texts may be in YAML or JSON: it is, or the text around it
/// has escapes, which may hide anything.
pub fn has_one(written: &[u8], texts: &Texts) -> bool {
    texts.0.iter().any(|text| text.find(written).is_some()) || hides(written)
}

/// Whether there is an escape that can stand for a part of a text: a code, a slash,
/// or the end of a line. An API server writes `<`, `>` and `&` by their codes.
fn hides(written: &[u8]) -> bool {
    memchr_iter(b'\\', written).any(|at| {
        let rest = &written[at + 1..];
        let harmless: [&[u8]; 3] = [b"u003c", b"u003e", b"u0026"];
        matches!(rest.first(), Some(b'u' | b'U' | b'x' | b'/' | b'\n' | b'\r'))
            && !harmless.iter().any(|code| rest.starts_with(code))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_have(written: &str, text: &str) -> bool {
        has_one(written.as_bytes(), &Texts::new(vec![text.to_owned()]).unwrap())
    }

    #[test]
    fn a_text_is_found_or_may_be_hidden() {
        assert!(may_have("spec: {hostNetwork: true}", "hostNetwork"));
        assert!(!may_have("spec: {hostIPC: true}", "hostNetwork"));
        assert!(may_have(r#"{"host\u004eetwork": true}"#, "hostNetwork"));
        assert!(may_have(r#""host\x4eetwork": true"#, "hostNetwork"));
        assert!(may_have(r#"{"a\/b": 1}"#, "a/b"));
        assert!(may_have("\"host\\\n  Network\": true", "hostNetwork"));
        assert!(!may_have(r#"{"args": ["a \u0026\u0026 \"b\"\n"]}"#, "hostNetwork"));
    }

    #[test]
    fn only_plain_texts_can_be_found() {
        for text in ["hostNetwork", "example.com/a-b_c", "7"] {
            assert!(Texts::new(vec![text.to_owned()]).is_ok(), "{text}");
        }
        for text in ["", "a b", "a\nb", "a\"", "ü", "<a>"] {
            assert_eq!(Texts::new(vec![text.to_owned()]).unwrap_err(), text);
        }
    }
}
