//! What a name is the value of.

/// What the name of a variable, of a flag or of a setting says of its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    /// The value isn't dialled: an image, a name in a certificate, prose.
    pub(super) not_dialled: bool,
    /// Whoever reads the value asks for SRV records.
    pub(super) asks_srv: bool,
}

/// Ends of keys, in lower case and without `-`, `_` and `.`, whose values are
/// no hosts to dial.
const NOT_DIALLED: &[&str] = &[
    // Images.
    "image",
    "imagename",
    "imageref",
    "repository",
    "tag",
    "version",
    // Names in certificates, and names to expect in them.
    "altname",
    "altnames",
    "certhosts",
    "cn",
    "commonname",
    "dnsnames",
    "san",
    "sans",
    "servername",
    "subj",
    "subject",
    "subjectaltname",
    "tlsautohosts",
    "tlshosts",
    // Prose.
    "comment",
    "description",
    "help",
    "message",
    "note",
    "runbookurl",
    "summary",
    "title",
    // Identifiers that look like hosts.
    "class",
    "classname",
    "jobname",
    "logger",
    "package",
    "regex",
];

impl Key {
    pub(super) fn of(key: &str) -> Self {
        let key: String = key
            .chars()
            .filter(|c| !matches!(c, '-' | '_' | '.'))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let alternative = key.strip_prefix("dns").is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        Self {
            not_dialled: alternative || NOT_DIALLED.iter().any(|end| is_word_at_end(&key, end)),
            asks_srv: key.ends_with("discoverysrv"),
        }
    }
}

/// Short words count only as the whole key: `cn` isn't the end of `ocn`.
fn is_word_at_end(key: &str, word: &str) -> bool {
    if word.len() < 5 { key == word } else { key.ends_with(word) }
}
