//! Files as nobody writes them: all that YAML allows, mixed, and some that it
//! doesn't. The same seed gives the same file.

use std::fmt::Write as _;

use crate::random::Random;

/// Plain scalars: YAML 1.1 has a type for many of them.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "a", "b c", "text", "None", "x-y", "a.b/c", "http://h:80/p", "-x", "--", "a#b", "~", "null",
    "Null", "NULL", "nUll", "y", "Y", "yes", "Yes", "YES", "yEs", "n", "N", "no", "No", "NO",
    "on", "On", "ON", "off", "Off", "OFF", "true", "True", "TRUE", "false", "False", "FALSE",
    "tRue", "0", "00", "007", "010", "08", "080", "0o10", "0O10", "0x1F", "0X1f", "0b101", "0B1",
    "-0b101", "-0x10", "+0o7", "1_000", "0_10", "0x1_0", "_1", "1__0", "1_", "+1", "-1", "++1",
    "1e3", "1E3", "1e+3", "1e-3", "1e", "e3", "1.", ".5", "+.5", "-.5", "1.5", "1_0.5", "80.0",
    "-0.0", "-0", "1e21", "1e20", "123456789.5", "1e-7", "0.000001", "1e400", ".", "..", "1.2.3",
    "10.0.0.1", "1:30", "190:20:30", "1:30.5", "2001-01-01", "2001-01-01T01:02:03Z", "2001-1-1",
    "1Gi", "500m", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "99999999999999999999999", "0x8000000000000000", "0777777777777777777777",
    "01777777777777777777777", "1152921504606846976.0", "=", "<", "ü", "日本 語", "😀", "a\u{A0}b",
    "\u{3000}x", "x\u{2028}y", "a, b", "a: b", "- a", "a [b]", "{a", "a}", "*", "&", "!", "%a",
    "@a", "`a", "|", ">", "'", "\"", "?", "? a", ":", ":a", "a:", "#", "a # b",
];

/// Texts for quotes and blocks.
#[rustfmt::skip]
const TEXTS: &[&str] = &[
    "", " ", "a", "yes", "010", "a b  c", " lead", "trail ", "it's", "say \"x\"", "back\\slash",
    "tab\there", "ü ß 日本", "😀", "# no comment", "a: b", "- a", "---", "...", "key: {a: [b]}",
    "<<", "\u{A0}", "a,b", "end:", "null", "~", "1e3",
];

#[rustfmt::skip]
const KEYS: &[&str] = &[
    "a", "b", "c", "d e", "name", "port", "spec", "labels", "app.kubernetes.io/name", "yes", "on",
    "n", "010", "8", "1.0", "1e3", "0x1F", "2001-01-01", "ü", "'a'", "\"b\"", "\"\\u0061\"",
    "'it''s'", "true", "-", "? a", ".5", "<", "=",
];

#[rustfmt::skip]
const TAGS: &[&str] = &[
    "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!x", "!", "!!binary",
];

/// One file.
#[must_use]
pub fn file(seed: u64) -> String {
    let mut generator =
        Generator { random: Random::new(seed), text: String::new(), anchors: Vec::new() };
    if generator.random.chance(12) {
        generator.json_stream();
    } else {
        generator.yaml_stream();
    }
    let mut text = generator.text;
    if generator.random.chance(15) {
        text = text.replace('\n', "\r\n");
    }
    if generator.random.chance(3) {
        text.insert(0, '\u{FEFF}');
    }
    if generator.random.chance(10) {
        text.truncate(text.trim_end().len());
    }
    text
}

struct Generator {
    random: Random,
    text: String,
    /// Those of this document, and whether each is a mapping.
    anchors: Vec<(String, bool)>,
}

impl Generator {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn pad(&mut self, columns: usize) {
        self.text.extend(std::iter::repeat_n(' ', columns));
    }

    fn yaml_stream(&mut self) {
        if self.random.chance(5) {
            let preface = self.random.pick(&["# c\n", "\n\n", "%YAML 1.1\n---\n", "---\n---\n"]);
            self.put(preface);
        }
        let documents = 1 + self.random.below(3);
        for document in 0..documents {
            if document > 0 || self.random.chance(30) {
                let separators =
                    ["---\n", "---\n", "--- # c\n", "---   \n", "---\n# c\n", "---\n\n"];
                let separator = self.random.pick(&separators);
                self.put(separator);
            }
            self.anchors.clear();
            match self.random.below(20) {
                0 => self.list(),
                1 => self.flow_document(),
                2 => {
                    let other = self.random.pick(&["", "# only a comment\n", "~\n", "a: b\n"]);
                    self.put(other);
                }
                _ => self.object(0, "ConfigMap"),
            }
            if self.random.chance(3) {
                self.put("...\n");
            }
        }
    }

    fn list(&mut self) {
        let kind = self.random.pick(&["List", "ConfigMapList"]);
        let indent = 2 * self.random.below(2);
        writeln!(self.text, "apiVersion: v1\nkind: {kind}\nitems:").expect("it is a string");
        for _ in 0..=self.random.below(3) {
            self.pad(indent);
            self.put("- ");
            self.object(indent + 2, "ConfigMap");
        }
    }

    /// The first line is where the text stands.
    fn object(&mut self, indent: usize, kind: &str) {
        let version = self.random.pick(&["v1", "'v1'", "\"v1\"", "v1 # c"]);
        writeln!(self.text, "apiVersion: {version}").expect("it is a string");
        self.pad(indent);
        writeln!(self.text, "kind: {kind}").expect("it is a string");
        // kubectl wants the types of metadata to be right; we say so later.
        self.pad(indent);
        self.put("metadata: {name: x}\n");
        for field in ["data", "spec"] {
            self.pad(indent);
            self.put(field);
            self.put(":");
            self.mapping_below(indent, 0);
        }
    }

    /// A mapping as the value of a key at `indent`.
    fn mapping_below(&mut self, indent: usize, depth: usize) {
        self.comment();
        self.put("\n");
        let inner = indent + 1 + self.random.below(4);
        self.pad(inner);
        self.block_mapping(inner, depth);
    }

    fn comment(&mut self) {
        if self.random.chance(8) {
            let comment = self.random.pick(&[" # c", "  # ü: [", "\t# c", " #", "   "]);
            self.put(comment);
        }
    }

    fn blank_lines(&mut self) {
        if self.random.chance(6) {
            let blank = self.random.pick(&["\n", "\n\n", "# c\n", "   # c\n", "  \n"]);
            self.put(blank);
        }
    }

    /// Entries from where the text stands to the end of a line.
    fn block_mapping(&mut self, indent: usize, depth: usize) {
        for at in 0..=self.random.below(4) {
            if at > 0 {
                self.blank_lines();
                self.pad(indent);
            }
            let maps: Vec<_> =
                self.anchors.iter().filter(|it| it.1).map(|it| it.0.clone()).collect();
            if !maps.is_empty() && self.random.chance(12) {
                let name = maps[self.random.below(maps.len())].clone();
                let other = maps[self.random.below(maps.len())].clone();
                if self.random.chance(25) {
                    writeln!(self.text, "<<: [*{name}, *{other}]").expect("it is a string");
                } else {
                    writeln!(self.text, "<<: *{name}").expect("it is a string");
                }
                continue;
            }
            let key = if self.random.chance(97) {
                KEYS[self.random.below(18)]
            } else {
                self.random.pick(KEYS)
            };
            self.put(key);
            if self.random.chance(4) {
                self.put(" ");
            }
            self.put(":");
            self.block_value(indent, depth);
        }
    }

    /// What stands behind `key:` or `-`, up to the end of the line.
    fn block_value(&mut self, indent: usize, depth: usize) {
        let anchor = self.random.chance(10).then(|| format!("a{}", self.random.below(6)));
        let shallow = depth < 4;
        let choice = self.random.below(20);
        // An alias has neither an anchor nor a tag.
        if choice == 0 && !self.anchors.is_empty() {
            let name = self.anchors[self.random.below(self.anchors.len())].0.clone();
            writeln!(self.text, " *{name}").expect("it is a string");
            return;
        }
        if let Some(name) = &anchor {
            write!(self.text, " &{name}").expect("it is a string");
        }
        let is_map = choice == 1 || choice == 2;
        match choice {
            1 | 2 if shallow => self.mapping_below(indent, depth + 1),
            3 | 4 if shallow => self.block_sequence_below(indent, depth + 1),
            5 | 6 => {
                self.put(" ");
                self.flow(depth);
                self.comment();
                self.put("\n");
            }
            7 | 8 => self.block_scalar(indent),
            9 | 10 => {
                self.put(" ");
                self.quoted(indent);
                self.comment();
                self.put("\n");
            }
            11 => {
                self.comment();
                self.put("\n");
            }
            12 => {
                self.put(" several\n");
                for _ in 0..=self.random.below(2) {
                    if self.random.chance(20) {
                        self.put("\n");
                    }
                    let column = indent + 1 + self.random.below(3);
                    self.pad(column);
                    self.put("lines of text\n");
                }
            }
            13 if self.random.chance(30) => {
                let tag = self.random.pick(TAGS);
                write!(self.text, " {tag} ").expect("it is a string");
                self.plain();
                self.put("\n");
            }
            _ => {
                let gap = if self.random.chance(5) { "\t" } else { " " };
                self.put(gap);
                self.plain();
                self.comment();
                self.put("\n");
            }
        }
        if let Some(name) = anchor {
            self.anchors.retain(|it| it.0 != name);
            self.anchors.push((name, is_map && shallow));
        }
    }

    fn block_sequence_below(&mut self, indent: usize, depth: usize) {
        self.comment();
        self.put("\n");
        // A list may stand as far left as its key.
        let inner = indent + self.random.below(4);
        for _ in 0..=self.random.below(3) {
            self.blank_lines();
            self.pad(inner);
            self.put("-");
            if depth < 4 && self.random.chance(30) {
                let gap = 1 + self.random.below(3);
                self.pad(gap);
                self.block_mapping(inner + 1 + gap, depth + 1);
            } else {
                self.block_value(inner, depth);
            }
        }
    }

    fn plain(&mut self) {
        // The last ones break the document more often than not.
        let sound = PLAIN.len() - 28;
        let text = if self.random.chance(99) {
            PLAIN[self.random.below(sound)]
        } else {
            self.random.pick(PLAIN)
        };
        self.put(text);
    }

    fn quoted(&mut self, indent: usize) {
        let text = self.random.pick(TEXTS);
        let fold = self.random.chance(15);
        let gap = format!("\n{:1$}", "", indent + 1 + self.random.below(3));
        if self.random.chance(50) {
            let text = text.replace('\'', "''");
            let text = if fold { format!("{text}{gap}more") } else { text };
            write!(self.text, "'{text}'").expect("it is a string");
            return;
        }
        let mut quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        if fold {
            quoted += &format!("{}{gap}more", self.random.pick(&["", " \\", "\n"]));
        }
        for _ in 0..self.random.below(3) {
            quoted += self.random.pick(&[
                "\\n",
                "\\t",
                "\\x41",
                "\\u00fc",
                "\\U0001F600",
                "\\e",
                "\\0",
                "\\/",
                "\\ ",
                "\\_",
                "\\N",
                "\\L",
                "\\P",
                "\\a",
                "\\r",
                "\\v",
            ]);
        }
        write!(self.text, "\"{quoted}\"").expect("it is a string");
    }

    fn block_scalar(&mut self, indent: usize) {
        let style = self.random.pick(&["|", ">"]);
        let keep = self.random.pick(&["", "", "-", "+"]);
        let width = 1 + self.random.below(4);
        let explicit = self.random.chance(15);
        let digit = if explicit { width.to_string() } else { String::new() };
        let head = if self.random.chance(50) {
            format!("{keep}{digit}")
        } else {
            format!("{digit}{keep}")
        };
        write!(self.text, " {style}{head}").expect("it is a string");
        self.comment();
        self.put("\n");
        // The number counts from the parent's indentation.
        let column = indent + width;
        for line in 0..self.random.below(5) {
            let text = self.random.pick(TEXTS);
            if self.random.chance(15) {
                self.put("\n");
                continue;
            }
            self.pad(column);
            if line > 0 && self.random.chance(20) {
                self.put("  ");
            }
            let text = if line == 0 && !explicit { text.trim_start() } else { text };
            self.put(text);
            self.put("\n");
        }
    }

    fn flow_document(&mut self) {
        self.put("{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: ");
        self.flow(0);
        self.put("}\n");
    }

    fn flow(&mut self, depth: usize) {
        let count = self.random.below(4);
        let mapping = self.random.chance(50);
        self.put(if mapping { "{" } else { "[" });
        for at in 0..count {
            if at > 0 {
                let comma = self.random.pick(&[", ", ",", " , ", ",\n        "]);
                self.put(comma);
            }
            if mapping {
                let key = KEYS[self.random.below(18)];
                self.put(key);
                let colon = self.random.pick(&[": ", ": ", ": ", " : "]);
                self.put(colon);
            }
            match self.random.below(8) {
                0 if depth < 4 => self.flow(depth + 1),
                1 if !self.anchors.is_empty() => {
                    let name = self.anchors[self.random.below(self.anchors.len())].0.clone();
                    write!(self.text, "*{name} ").expect("it is a string");
                }
                2 | 3 => self.quoted(8),
                4 if mapping => {}
                5 if !mapping && self.random.chance(20) => self.put("a: b"),
                _ => {
                    // What has no comma or bracket in it.
                    let text = PLAIN[self.random.below(PLAIN.len() - 28)];
                    self.put(text);
                }
            }
        }
        if count > 0 && self.random.chance(10) {
            self.put(",");
        }
        self.put(if mapping { "}" } else { "]" });
    }

    fn json_stream(&mut self) {
        let separator = self.random.pick(&["\n", "", " ", "\n---\n"]);
        for at in 0..=self.random.below(3) {
            if at > 0 {
                self.put(separator);
            }
            self.json_space();
            self.put(r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":"#);
            self.json(0);
            self.put("}");
        }
        self.put("\n");
    }

    fn json_space(&mut self) {
        if self.random.chance(15) {
            let space = self.random.pick(&[" ", "\n", "\t", "\r\n  "]);
            self.put(space);
        }
    }

    fn json(&mut self, depth: usize) {
        self.json_space();
        match self.random.below(6) {
            0 if depth < 5 => {
                self.put("[");
                for at in 0..self.random.below(4) {
                    self.put(if at > 0 { "," } else { "" });
                    self.json(depth + 1);
                }
                self.put("]");
            }
            1 | 2 if depth < 5 => {
                self.put("{");
                for at in 0..self.random.below(4) {
                    self.put(if at > 0 { "," } else { "" });
                    self.json_space();
                    self.json_string();
                    self.json_space();
                    self.put(":");
                    self.json(depth + 1);
                }
                self.put("}");
            }
            3 => self.json_string(),
            _ => {
                let scalar = self.random.pick(&[
                    "null",
                    "true",
                    "false",
                    "0",
                    "-0",
                    "1",
                    "-1",
                    "80.0",
                    "1.5",
                    "1e3",
                    "1E-2",
                    "9223372036854775807",
                    "9223372036854775808",
                    "-9223372036854775809",
                    "1e21",
                    "0.1",
                    "123456789012345678901234567890",
                ]);
                self.put(scalar);
            }
        }
        self.json_space();
    }

    fn json_string(&mut self) {
        let string = self.random.pick(&[
            r#""""#,
            r#""a""#,
            r#""b""#,
            r#""A""#,
            r#""\u00fc""#,
            r#""\ud83d\ude00""#,
            r#""ü""#,
            r#""\n\t\"\\\/""#,
            r#""a: b""#,
            r#""---""#,
            r#""yes""#,
            r#""010""#,
            "\"\u{2028}\"",
        ]);
        self.put(string);
    }
}
