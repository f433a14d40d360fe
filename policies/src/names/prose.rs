//! Blanks what nobody dials in a text: comments, and what a script only prints.

/// A copy of the text, byte for byte as long, with spaces for comments and for
/// the arguments of `echo` and `printf` that go to the terminal. Line ends stay.
///
/// Where a mark of a comment stands in a quoted string, the rest of that line
/// is lost too: silence is the safer error.
pub(super) fn blank(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (open, close) in [("<!--", "-->"), ("/*", "*/")] {
        blank_blocks(text, open, close, &mut bytes);
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let comment = comment_start(line).unwrap_or(line.len());
        fill(&mut bytes, start + comment..start + line.len());
        blank_printed(&line[..comment], start, &mut bytes);
        start += line.len();
    }
    bytes
}

fn fill(bytes: &mut [u8], range: std::ops::Range<usize>) {
    for byte in &mut bytes[range] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// `/*` counts only between spaces: `/path/*` is a pattern.
fn blank_blocks(text: &str, open: &str, close: &str, bytes: &mut [u8]) {
    let is_space = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_whitespace);
    let mut from = 0;
    while let Some(at) = text[from..].find(open).map(|at| from + at) {
        let inside = at + open.len();
        from = inside;
        let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        if open == "/*" && !(is_space(before) && is_space(text.as_bytes().get(inside))) {
            continue;
        }
        let Some(end) = text[inside..].find(close) else { return };
        from = inside + end + close.len();
        fill(bytes, at..from);
    }
}

/// Where the comment of a line starts: `#`, `//`, `;` or `--` in front, `#` or
/// `// ` behind a space.
fn comment_start(line: &str) -> Option<usize> {
    let indent = line.len() - line.trim_start().len();
    let rest = &line[indent..];
    if rest.starts_with(['#', ';']) || rest.starts_with("//") || rest.starts_with("-- ") {
        return Some(indent);
    }
    let marks = [" #", "\t#", " // ", "\t// "];
    marks.iter().filter_map(|mark| line.find(mark)).min()
}

/// `echo …` and `printf …` up to the end of the command, unless it is piped or
/// written somewhere.
fn blank_printed(line: &str, offset: usize, bytes: &mut [u8]) {
    for command in ["echo ", "printf "] {
        let mut from = 0;
        while let Some(at) = line[from..].find(command).map(|at| from + at) {
            from = at + command.len();
            let before = line[..at].chars().next_back();
            if before.is_some_and(|c| !c.is_whitespace() && !";&|({\"'".contains(c)) {
                continue;
            }
            let inside = from;
            from += command_end(&line[inside..]);
            let piped = line[from..].starts_with('|') && !line[from..].starts_with("||");
            if !piped && !line[inside..from].contains('>') {
                fill(bytes, offset + inside..offset + from);
            }
        }
    }
}

/// Where a shell command ends: at `;`, `&`, `|` or `)` outside of quotes.
fn command_end(command: &str) -> usize {
    let mut quote = None;
    for (at, c) in command.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if matches!(c, ';' | '&' | '|' | ')') => return at,
            None => {}
        }
    }
    command.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blanked(text: &str) -> String {
        String::from_utf8(blank(text)).expect("spaces for whole characters")
    }

    #[test]
    fn comments_are_blanked_and_lines_stay() {
        for (text, expected) in [
            ("# db:80\nurl: a", "       \nurl: a"),
            ("url: a # was db:80", "url: a            "),
            ("http://a/#x", "http://a/#x"),
            ("http://a // b", "http://a     "),
            ("// ü db\nb", "        \nb"),
            ("; a.b\n-- c.d\ne", "     \n      \ne"),
            ("<a><!-- db:80 --></a>", "<a>              </a>"),
            ("a /* b\nc */ d", "a     \n     d"),
            ("ls /x/* /y/*", "ls /x/* /y/*"),
        ] {
            assert_eq!(blanked(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_script_only_prints_is_blanked() {
        for (text, expected) in [
            ("echo waiting for db:80; nc db 80", "echo                  ; nc db 80"),
            ("echo \"a; b\" && c", "echo        && c"),
            ("echo ruok | nc zk 2181", "echo ruok | nc zk 2181"),
            ("echo server db:80 > conf", "echo server db:80 > conf"),
            ("echoes of db:80", "echoes of db:80"),
        ] {
            assert_eq!(blanked(text), expected, "{text}");
        }
    }
}
