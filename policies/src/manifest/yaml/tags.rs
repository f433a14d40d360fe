//! A guard for libyaml-safer 0.3.0, which panics at a tag with a comma right
//! behind it, as in `[!!str, a]` (`scan_tag`, "TODO: What is expected here?").
//! To be dropped once a release reports an error there.

use libyaml_safer::{Scanner, TokenData};

use super::feed::Feed;

/// Where a tag with a comma right behind it stands. kubectl refuses it.
pub(super) fn before_comma(text: &str) -> Option<usize> {
    if !text.contains('!') {
        return None;
    }
    let candidates = candidates(text);
    if candidates.is_empty() {
        return None;
    }
    // Most are in quotes or comments. Where a tag can start, a backtick is an
    // error at once; elsewhere it is a character like `!`.
    let mut bytes = text.as_bytes().to_vec();
    for at in &candidates {
        bytes[*at] = b'`';
    }
    let copy = String::from_utf8(bytes).ok()?;
    let mut scanner = Scanner::new();
    scanner.set_input(Feed::new(&copy));
    loop {
        match Scanner::scan(&mut scanner) {
            Ok(token) if matches!(token.data, TokenData::StreamEnd) => return None,
            Ok(_) => {}
            Err(error) if error.problem() == "found character that cannot start any token" => {
                let at = usize::try_from(error.problem_mark()?.index).ok()?;
                return candidates.binary_search(&at).is_ok().then_some(at);
            }
            // libyaml gets no further either.
            Err(_) => return None,
        }
    }
}

/// Every `!` from which a tag would reach to a comma, ascending.
fn candidates(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let from = |at: usize, stops: fn(u8) -> bool| {
        bytes[at..].iter().position(|byte| stops(*byte)).map_or(bytes.len(), |length| at + length)
    };
    // Both ends hold for all `!` before them, so that no text is read twice.
    let (mut word, mut verbatim) = (0, 0);
    let reaches_comma = |at: &usize| {
        let end = if bytes.get(at + 1) == Some(&b'<') {
            if verbatim <= *at {
                verbatim = from(*at, |byte| byte == b'>' || byte.is_ascii_whitespace());
            }
            verbatim + 1
        } else {
            if word <= *at {
                word = from(*at, |byte| b" \t\r\n,[]{}".contains(&byte));
            }
            word
        };
        bytes.get(end) == Some(&b',')
    };
    text.match_indices('!').map(|(at, _)| at).filter(reaches_comma).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_with_a_comma_right_behind_it_is_found() {
        for (text, at) in [
            ("[!, a]", Some(1)),
            ("a: {b: !!str, c: d}", Some(7)),
            ("{\"a\":\"b\"!,\"c\":1}", Some(8)),
            ("[\"!,\", !x!y, a]", Some(7)),
            ("[&a !, b]", Some(4)),
            ("[!<tag:yaml.org,2002:int>, a]", Some(1)),
            ("[!<tag:yaml.org,2002:int> 1, a]", None),
            ("[! , a]", None),
            ("a: \"b !, c\" # !,\n", None),
            ("a: Hello!, b\n", None),
            ("a: |\n  !, b\n", None),
            ("[a !, b]", None),
            // What is wrong behind it is seen before the tag is known to be no key.
            ("[!a, \"never closed", Some(1)),
            ("a: 1\n[!b, c\n d]", Some(6)),
            ("[\"!a, never closed", None),
        ] {
            assert_eq!(before_comma(text), at, "{text}");
        }
    }
}
