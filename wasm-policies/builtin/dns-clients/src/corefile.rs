//! A Corefile, as CoreDNS takes it apart.
//!
//! # Source
//! github.com/coredns/caddy v1.1.4 `caddyfile/lexer.go`, `caddyfile/parse.go`.

use std::ops::Range;

/// A word, which quotes may hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Without its quotes.
    pub(crate) text: String,
    /// Its bytes, with its quotes.
    pub(crate) range: Range<usize>,
    /// The lines on which it begins and ends.
    lines: (usize, usize),
}

/// A line that begins with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) name: Word,
    pub(crate) args: Vec<Word>,
}

/// A plugin of a server block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plugin {
    /// What stands before its braces, or all of it.
    pub(crate) head: Line,
    /// What stands in its braces; what is in braces of its own there is left out.
    pub(crate) properties: Vec<Line>,
}

/// A server block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Zones, maybe with scheme and port.
    pub(crate) keys: Vec<String>,
    pub(crate) plugins: Vec<Plugin>,
}

/// The server blocks of a text, without snippets and what is imported. None if
/// CoreDNS couldn't read it either.
pub(crate) fn servers(text: &str) -> Option<Vec<Server>> {
    let mut reader = Reader { words: words(text), at: 0 };
    let mut servers = Vec::new();
    while reader.peek().is_some() {
        servers.extend(reader.server()?);
    }
    Some(servers)
}

/// The plugins of a text that a server block imports.
pub(crate) fn plugins(text: &str) -> Option<Vec<Plugin>> {
    let mut reader = Reader { words: words(text), at: 0 };
    let plugins = reader.plugins(false)?;
    reader.peek().is_none().then_some(plugins)
}

impl Plugin {
    /// Its properties of a name.
    pub(crate) fn properties<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p Line> {
        self.properties.iter().filter(move |line| line.name.text == name)
    }
}

fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut line = 1;
    let mut rest = text.char_indices().peekable();
    while let Some((start, first)) = rest.next() {
        match first {
            '\n' => line += 1,
            '#' => while rest.next_if(|(_, next)| *next != '\n').is_some() {},
            '"' => {
                let (mut word, mut escaped, begin) = (String::new(), false, line);
                let mut end = text.len();
                for (at, next) in rest.by_ref() {
                    line += usize::from(next == '\n');
                    match next {
                        '\\' if !escaped => escaped = true,
                        '"' if !escaped => {
                            end = at + 1;
                            break;
                        }
                        next => {
                            // Only quotes are escaped.
                            if escaped && next != '"' {
                                word.push('\\');
                            }
                            word.push(next);
                            escaped = false;
                        }
                    }
                }
                words.push(Word { text: word, range: start..end, lines: (begin, line) });
            }
            first if first.is_whitespace() => {}
            first => {
                let mut end = start + first.len_utf8();
                // A comment needs no space before it.
                while let Some((at, next)) =
                    rest.next_if(|(_, next)| !next.is_whitespace() && *next != '#')
                {
                    end = at + next.len_utf8();
                }
                words.push(Word {
                    text: text[start..end].to_owned(),
                    range: start..end,
                    lines: (line, line),
                });
            }
        }
    }
    words
}

struct Reader {
    words: Vec<Word>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(|word| word.text.as_str())
    }

    /// Whether the next word begins a line.
    fn is_new_line(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.words.get(at));
        match (before, self.words.get(self.at)) {
            (Some(before), Some(next)) => before.lines.1 < next.lines.0,
            _ => true,
        }
    }

    /// The next word, on the line of the one before it.
    fn arg(&mut self) -> Option<Word> {
        let is_arg = !self.is_new_line() && self.peek() != Some("{");
        self.words.get(self.at).filter(|_| is_arg).inspect(|_| self.at += 1).cloned()
    }

    fn line(&mut self) -> Option<Line> {
        let name = self.words.get(self.at)?.clone();
        self.at += 1;
        let args = std::iter::from_fn(|| self.arg()).collect();
        Some(Line { name, args })
    }

    /// A server block; an inner none for what isn't one.
    fn server(&mut self) -> Option<Option<Server>> {
        if self.peek() == Some("import") {
            self.line()?;
            return Some(None);
        }
        let mut keys = Vec::new();
        let mut more = true;
        while more || !self.is_new_line() {
            let key = self.peek().filter(|key| !["{", "}"].contains(key));
            let Some(key) = key.map(str::to_owned) else { break };
            self.at += 1;
            more = key.ends_with(',');
            keys.push(key.trim_end_matches(',').to_owned());
        }
        if keys.is_empty() {
            return None;
        }
        let in_braces = self.peek() == Some("{");
        self.at += usize::from(in_braces);
        let plugins = self.plugins(in_braces)?;
        if in_braces {
            self.close()?;
        }
        let is_snippet = keys.len() == 1 && keys[0].starts_with('(') && keys[0].ends_with(')');
        Some((!is_snippet).then_some(Server { keys, plugins }))
    }

    fn close(&mut self) -> Option<()> {
        (self.peek() == Some("}")).then(|| self.at += 1)
    }

    /// The plugins up to a brace that isn't theirs, or to the end.
    fn plugins(&mut self, in_braces: bool) -> Option<Vec<Plugin>> {
        let mut plugins = Vec::new();
        while let Some(next) = self.peek() {
            match next {
                "}" if in_braces => break,
                "}" | "{" => return None,
                _ => {}
            }
            let head = self.line()?;
            let mut properties = Vec::new();
            if self.peek() == Some("{") && !self.is_new_line() {
                self.at += 1;
                while self.peek() != Some("}") {
                    properties.push(self.line()?);
                    if self.peek() == Some("{") {
                        self.skip()?;
                    }
                }
                self.close()?;
            }
            plugins.push(Plugin { head, properties });
        }
        Some(plugins)
    }

    /// What is in braces of its own.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0;
        loop {
            match self.peek()? {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything in one line.
    fn told(servers: &[Server]) -> String {
        let line = |line: &Line| {
            let words = [&line.name].into_iter().chain(&line.args);
            words.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
        };
        let plugin = |plugin: &Plugin| {
            let properties: Vec<_> = plugin.properties.iter().map(line).collect();
            format!("{}[{}]", line(&plugin.head), properties.join("; "))
        };
        let server = |server: &Server| {
            let plugins: Vec<_> = server.plugins.iter().map(plugin).collect();
            format!("{}: {}", server.keys.join(" "), plugins.join(", "))
        };
        servers.iter().map(server).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn blocks_are_taken_apart_as_coredns_does() {
        for (text, expected) in [
            (
                ".:53 {\n errors # all\n kubernetes a. {\n  ttl 30\n }\n cache 30\n}\nb c,\nd {\n}\n",
                ".:53: errors[], kubernetes a.[ttl 30], cache 30[] | b c d: ",
            ),
            ("a\nerrors\ncache\n", "a: errors[], cache[]"),
            ("a {\n x {}\n}", "a: x {}[]"),
            ("a {\n x {\n }\n y#z\n}", "a: x[], y[]"),
            ("(s) {\n x\n}\na {\n import s\n}", "a: import s[]"),
            ("import b\na {\n}", "a: "),
            ("a {\n x \"b \\\" \\. {\n}\" {\n  y\n }\n}", "a: x b \" \\. {\n}[y]"),
            ("a {\n x {\n  y {\n   z\n  }\n  w\n }\n}", "a: x[y; w]"),
        ] {
            assert_eq!(servers(text).map(|it| told(&it)).unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn what_has_no_end_is_nothing() {
        for text in ["a {", "a {\n x {\n }", "}", "{\n}", "a {\n}\n}"] {
            assert_eq!(servers(text), None, "{text}");
        }
        assert_eq!(plugins("x {\n y\n}\n}"), None);
        assert_eq!(plugins("x {\n y\n}\nz").map(|it| it.len()), Some(2));
    }

    #[test]
    fn words_know_where_they_are() {
        let text = "é {\n \"b c\" # d\n ef\n}";
        let ranges: Vec<_> = words(text).into_iter().map(|word| &text[word.range]).collect();
        assert_eq!(ranges, ["é", "{", "\"b c\"", "ef", "}"]);
    }
}
