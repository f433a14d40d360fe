//! Policies written by hand in WebAssembly text, to do what a compiler never
//! would.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A policy that holds one rule and misbehaves in some way.
///
/// It reports on two kinds of objects and lies at address 4096 and above
/// with all that it says of itself; the pages below are its stack.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its name, and the id of its rule.
    pub name: &'static str,
    /// The kinds that it reports on.
    pub kinds: [&'static str; 2],
    /// Import declarations.
    pub imports: &'static str,
    /// Other functions, globals and exports.
    pub items: &'static str,
    /// Instructions that run before it describes itself.
    pub describe: &'static str,
    /// Instructions that leave the address of a `list<finding>`.
    pub evaluate: String,
    /// Contents of the memory from [`Guest::DATA`] on.
    pub data: Vec<u8>,
}

impl Guest {
    /// Where [`Guest::data`] lies.
    pub const DATA: u32 = 32 * 1024;
    /// Where a `list<finding>` without any lies.
    pub const NO_FINDINGS: u32 = 8;
    /// Size of a `finding` in memory.
    pub const FINDING: u32 = 72;

    /// One that finds nothing.
    #[must_use]
    pub fn quiet(name: &'static str) -> Self {
        Self {
            name,
            kinds: ["Service", "ConfigMap"],
            imports: "",
            items: "",
            describe: "",
            evaluate: format!("i32.const {}", Self::NO_FINDINGS),
            data: Vec::new(),
        }
    }

    /// One whose evaluation is these instructions.
    #[must_use]
    pub fn evaluating(name: &'static str, evaluate: impl Into<String>) -> Self {
        Self { evaluate: evaluate.into(), ..Self::quiet(name) }
    }

    /// A `list<finding>` and its findings, to be [`Guest::data`]: each of this
    /// rule, at this path, with this text as the three parts of its message.
    #[must_use]
    pub fn findings(count: u32, rule: &[u8], path: &[u8], text: &[u8]) -> Vec<u8> {
        let strings = Self::DATA + 8;
        let list = strings + (rule.len() + path.len() + text.len()).next_multiple_of(4) as u32;
        let mut data = words(&[list, count]);
        data.extend([rule, path, text].concat());
        data.resize((list - Self::DATA) as usize, 0);
        let at_path = strings + rule.len() as u32;
        let at_text = at_path + path.len() as u32;
        let text = [at_text, text.len() as u32];
        for _ in 0..count {
            data.extend(words(&[
                strings,
                rule.len() as u32,
                1,
                at_path,
                path.len() as u32,
                0,
                0,
                0,
            ]));
            data.extend(words(&[text, text, text].concat()));
            data.extend(words(&[0, 0, 0, 0]));
        }
        data
    }

    /// The core module, with the WIT world in it.
    ///
    /// # Panics
    /// When the text is wrong.
    #[must_use]
    pub fn module(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.text()).expect("the module's text is right");
        let mut resolve = Resolve::default();
        let (package, _) = resolve
            .push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wasm-policies/wit/v1"))
            .expect("the contract is WIT");
        let world = resolve.select_world(&[package], Some("policy")).expect("it has a world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
            .expect("the world can be embedded");
        module
    }

    /// The component.
    ///
    /// # Panics
    /// When the module doesn't fit the world.
    #[must_use]
    pub fn component(&self) -> Vec<u8> {
        headlint_policy_pack::component(&self.module()).expect("the module fits the world")
    }

    fn text(&self) -> String {
        // The description: name, version, rules, schema; one rule; its kinds.
        const AT: u32 = 4096;
        let (rule, kinds, strings) = (AT + 32, AT + 32 + 48, AT + 32 + 48 + 16);
        let mut text = Vec::new();
        let mut string = |content: &str| {
            let at = strings + text.len() as u32;
            text.extend_from_slice(content.as_bytes());
            [at, content.len() as u32]
        };
        let name = string(self.name);
        let [version, schema] = ["1.0.0", "{}"].map(&mut string);
        let [first, second] = self.kinds.map(&mut string);
        let mut description = words(&[name, version, [rule, 1], schema].concat());
        // The bytes of severity, action, default-on and heals-later: warning,
        // warn, yes, no.
        description.extend(words(&[name[0], name[1], 0x0001_0001, kinds, 2]));
        // Operations: all but DELETE. Texts: none.
        description.extend(words(&[0b011, 0, 0]));
        description.extend(words(&[name, name].concat()));
        description.extend(words(&[first, second].concat()));
        description.extend(text);
        let pages = (Self::DATA as usize + self.data.len()).div_ceil(65_536).max(4);
        format!(
            r#"(module
              {imports}
              (memory (export "memory") {pages})
              (data (i32.const {AT}) "{description}")
              (data (i32.const {data_at}) "{data}")
              (global $heap (mut i32) (i32.const {heap}))
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at
                  (i32.and
                    (i32.add (global.get $heap) (i32.const 7))
                    (i32.const -8)))
                (global.set $heap (i32.add (local.get $at) (local.get 3)))
                (block $enough
                  (br_if $enough
                    (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
                  (drop (memory.grow (i32.const 64))))
                (local.get $at))
              (func (export "headlint:policy/rules@1.0.0#describe") (result i32)
                {describe}
                i32.const {AT})
              (func (export "headlint:policy/rules@1.0.0#check-settings")
                (param i32 i32) (result i32)
                i32.const 16)
              (func (export "headlint:policy/rules@1.0.0#evaluate")
                (param $rules i32) (param $count i32) (param $settings i32) (param $length i32)
                (param $operation i32) (param $origin i32) (result i32)
                {evaluate})
              {items})"#,
            imports = self.imports,
            items = self.items,
            describe = self.describe,
            evaluate = self.evaluate,
            description = escape(&description),
            data = escape(&self.data),
            data_at = Self::DATA,
            heap = (Self::DATA as usize + self.data.len()).next_multiple_of(8),
        )
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn escape(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}
