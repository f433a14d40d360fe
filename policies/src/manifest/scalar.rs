//! YAML 1.1 scalars as go-yaml v2 resolves them, and as JSON then carries them.
//!
//! # Source
//! `resolve` in go.yaml.in/yaml/v2 v2.4.3 `resolve.go`; keys and numbers:
//! `convertToJSONableObject` in sigs.k8s.io/yaml v1.6.0 `yaml.go`.

use super::node::Value;

/// The prefix that `!!` stands for.
const TAG_PREFIX: &str = "tag:yaml.org,2002:";

/// A resolved scalar, before it becomes a key or a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// Only beyond `i64`.
    Uint(u64),
    Float(f64),
    Str(String),
}

/// Resolves a plain scalar, or one with a tag.
///
/// # Errors
/// In words for a user: a value that its tag doesn't allow.
pub(super) fn resolve(tag: Option<&str>, text: String) -> Result<Scalar, String> {
    let Some(tag) = tag else { return Ok(untagged(text)) };
    let short = tag.strip_prefix(TAG_PREFIX);
    let fits = |scalar: &Scalar| match short {
        Some("bool") => matches!(scalar, Scalar::Bool(_)),
        Some("int") => matches!(scalar, Scalar::Int(_) | Scalar::Uint(_)),
        Some("float") => matches!(scalar, Scalar::Float(_)),
        _ => matches!(scalar, Scalar::Null),
    };
    match short {
        Some("bool" | "int" | "float" | "null") => {
            let scalar = match untagged(text.clone()) {
                Scalar::Int(int) if short == Some("float") => Scalar::Float(int as f64),
                scalar => scalar,
            };
            if fits(&scalar) { Ok(scalar) } else { Err(mismatch(tag, &text)) }
        }
        Some("timestamp") if !is_timestamp(&text) => Err(mismatch(tag, &text)),
        Some("binary") => match decode_base64(&text) {
            Some(bytes) => Ok(Scalar::Str(lossy(&bytes))),
            None => {
                Err("this is not base64, though the tag `!!binary` says so: remove the tag"
                    .to_owned())
            }
        },
        // `!!str`, and tags that go-yaml doesn't know.
        _ => Ok(Scalar::Str(text)),
    }
}

fn mismatch(tag: &str, text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    let tag = tag.replace(TAG_PREFIX, "!!");
    format!("`{short}` is no value for the tag `{tag}`: remove the tag, or correct the value")
}

/// A plain scalar without a tag. The first byte decides what it can be.
fn untagged(text: String) -> Scalar {
    let found = match text.as_bytes().first() {
        None => Some(Scalar::Null),
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
            word(&text)
        }
        Some(b'.') => point(&text),
        Some(b'+' | b'-' | b'0'..=b'9') => point(&text).or_else(|| number(&text)),
        _ => None,
    };
    found.unwrap_or(Scalar::Str(text))
}

fn word(text: &str) -> Option<Scalar> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ => return None,
    })
}

/// `.inf`, `.nan`, and floats that start with a point, which have no `_`.
fn point(text: &str) -> Option<Scalar> {
    Some(Scalar::Float(match text {
        ".nan" | ".NaN" | ".NAN" => f64::NAN,
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => f64::INFINITY,
        "-.inf" | "-.Inf" | "-.INF" => f64::NEG_INFINITY,
        _ if text.starts_with('.') => float(text)?,
        _ => return None,
    }))
}

fn number(text: &str) -> Option<Scalar> {
    // Most text that starts with a digit is no number: `10.0.0.1`, `1Gi`.
    if !text.bytes().all(|byte| {
        byte.is_ascii_hexdigit()
            || matches!(byte, b'+' | b'-' | b'.' | b'_' | b'x' | b'X' | b'o' | b'O')
    }) {
        return None;
    }
    let without;
    let plain = if text.contains('_') {
        without = text.replace('_', "");
        without.as_str()
    } else {
        text
    };
    integer(plain).or_else(|| float(plain).map(Scalar::Float))
}

/// As `strconv.ParseInt(text, 0, 64)`, then `ParseUint`.
fn integer(text: &str) -> Option<Scalar> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    // Rust would take a second sign.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        0_i64.checked_sub_unsigned(magnitude).map(Scalar::Int)
    } else if let Ok(int) = i64::try_from(magnitude) {
        Some(Scalar::Int(int))
    } else {
        // `ParseUint` knows no sign.
        (!text.starts_with('+')).then_some(Scalar::Uint(magnitude))
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, where it is finite.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
        }
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let valid = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent));
    if !valid {
        return None;
    }
    text.parse().ok().filter(|float: &f64| float.is_finite())
}

/// Whether `!!timestamp` allows the text: the start of a date is looked at,
/// which is what go-yaml's own quick check does.
fn is_timestamp(text: &str) -> bool {
    matches!(text.as_bytes(), [a, b, c, d, b'-', month, ..]
        if [a, b, c, d, month].iter().all(|byte| byte.is_ascii_digit()))
}

impl Scalar {
    /// The scalar as a value.
    ///
    /// # Errors
    /// NaN and infinity, which JSON doesn't have.
    pub(super) fn into_value(self) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(bool) => Value::Bool(bool),
            Self::Int(int) => Value::Int(int),
            Self::Uint(uint) => Value::Float(uint as f64),
            Self::Float(float) if !float.is_finite() => {
                return Err(
                    "infinity and NaN don't exist in the JSON that Kubernetes takes: quote the value if it is a string"
                        .to_owned(),
                );
            }
            Self::Float(float) => number_of(float),
            Self::Str(string) => Value::String(string),
        })
    }

    /// The scalar as a key.
    ///
    /// # Errors
    /// Null and integers beyond `i64`, which sigs.k8s.io/yaml refuses.
    pub(super) fn into_key(self) -> Result<String, String> {
        Ok(match self {
            Self::Bool(bool) => bool.to_string(),
            Self::Int(int) => int.to_string(),
            Self::Float(float) => float_key(float),
            Self::Str(string) => string,
            Self::Null => {
                return Err(
                    "a key is null here: quote it if it is a string, or give it a name".to_owned()
                );
            }
            Self::Uint(uint) => {
                return Err(format!("the key {uint} is too large for an integer: quote it"));
            }
        })
    }
}

/// A finite float as the API server gets it: kubectl writes `80.0` as `80`,
/// which is an integer where its digits, the shortest that tell it, fit one.
pub(super) fn number_of(float: f64) -> Value {
    if float.fract() != 0.0 {
        return Value::Float(float);
    }
    float.to_string().parse().map_or(Value::Float(float), Value::Int)
}

/// As `strconv.FormatFloat(float, 'g', -1, 32)`, with YAML's names for what
/// isn't finite.
fn float_key(float: f64) -> String {
    let float = float as f32;
    if float.is_nan() {
        return ".nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Where Go prints the shortest form, it turns to exponents from 6 on.
    if (-4..6).contains(&exponent) {
        return float.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// As Go's encoder of JSON: U+FFFD for each byte that is no UTF-8.
fn lossy(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\u{FFFD}'));
    }
    text
}

/// Standard base64 with padding; line breaks are skipped, as Go does.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let padding = digits.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 {
        return None;
    }
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(digits.len()), 0_u32, 0);
    for digit in &digits[..digits.len() - padding] {
        let six = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xFF) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(tag: Option<&str>, text: &str) -> String {
        let tag = tag.map(|tag| format!("{TAG_PREFIX}{tag}"));
        match resolve(tag.as_deref(), text.to_owned()).and_then(Scalar::into_value) {
            Ok(Value::Null) => "null".to_owned(),
            Ok(Value::Bool(bool)) => bool.to_string(),
            Ok(Value::Int(int)) => int.to_string(),
            Ok(Value::Float(float)) => format!("{float:?}"),
            Ok(Value::String(string)) => format!("{string:?}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn plain_scalars_mean_what_go_yaml_says() {
        let cases = r#"
            ~ null, NULL null, nUll "nUll",
            y true, Yes true, on true, yEs "yEs", N false, off false, False false,
            010 8, 080 80, 08 8, 0o17 15, 0x1F 31, -0b11 -3, 1_000 1000, +1 1, -1 -1,
            ++1 "++1", _1 "_1", 0x "0x", - "-", 1e "1e", 1e400 "1e400", ._5 "._5",
            9223372036854775807 9223372036854775807, 9223372036854775808 9.223372036854776e18,
            -9223372036854775808 -9223372036854775808, 99999999999999999999 1e20,
            -9223372036854775809 -9.223372036854776e18, 1152921504606846976.0 1152921504606847000,
            80.0 80, 1e3 1000, 1. 1, .5 0.5, 1.5 1.5, -0.0 0,
            1:30 "1:30", 10.0.0.1 "10.0.0.1", 1Gi "1Gi", 2001-01-01 "2001-01-01""#;
        for case in cases.split(',') {
            let (text, expected) = case.trim().split_once(' ').unwrap();
            assert_eq!(json(None, text), expected, "{text}");
        }
        assert_eq!(json(None, ""), "null");
    }

    #[test]
    fn tags_decide_or_are_refused() {
        for (tag, text, expected) in [
            ("str", "123", "\"123\""),
            ("int", "0x10", "16"),
            ("float", "1", "1"),
            ("bool", "yes", "true"),
            ("null", "", "null"),
            ("binary", "aGVs\nbG8=", "\"hello\""),
            ("binary", "8OD/", "\"\u{FFFD}\u{FFFD}\u{FFFD}\""),
            ("set", "12", "\"12\""),
            ("timestamp", "2001-01-01", "\"2001-01-01\""),
        ] {
            assert_eq!(json(Some(tag), text), expected, "{tag} {text}");
        }
        for (tag, text) in [
            ("int", "x"),
            ("int", "1.5"),
            ("float", "x"),
            ("bool", "1"),
            ("null", "x"),
            ("timestamp", "12"),
            ("binary", "%%%%"),
            ("binary", "abc"),
        ] {
            assert!(json(Some(tag), text).starts_with("Err"), "{tag} {text}");
        }
    }

    #[test]
    fn infinity_is_no_value() {
        for text in [".inf", "-.Inf", ".NaN"] {
            assert!(json(None, text).starts_with("Err(\"infinity and NaN"), "{text}");
        }
    }

    #[test]
    fn keys_become_strings_as_in_go() {
        let cases =
            "yes true, 010 8, 1.0 1, 1.5 1.5, 1e7 1e+07, 1234567.0 1.234567e+06, 123456.5 123456.5,
            1e-5 1e-05, 0.0001 0.0001, .inf .inf, -.inf -.inf, .nan .nan, 2001-01-01 2001-01-01";
        for case in cases.split(',') {
            let (text, key) = case.trim().split_once(' ').unwrap();
            assert_eq!(untagged(text.to_owned()).into_key(), Ok(key.to_owned()), "{text}");
        }
        assert!(untagged("~".to_owned()).into_key().is_err());
        assert!(untagged("18446744073709551615".to_owned()).into_key().is_err());
    }
}
