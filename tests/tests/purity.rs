//! A policy is a pure function: its component imports the view of the
//! snapshot, and nothing that could tell it more or let it do anything.

#![allow(clippy::unwrap_used)]

use headlint_tests::cases;
use wasmparser::{Encoding, Parser, Payload};

/// The names that a component imports.
fn imports(component: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ComponentImportSection(section) => {
                names
                    .extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
            }
            // The core modules inside import only from the component.
            Payload::ModuleSection { .. } => break,
            _ => {}
        }
    }
    names
}

#[test]
fn built_in_policies_import_only_the_contract() {
    let packed = cases::root().join("target/policies");
    for name in cases::policies().keys() {
        let component = std::fs::read(packed.join(format!("{name}.wasm"))).unwrap();
        assert!(Parser::is_component(&component), "{name}");
        assert_eq!(
            Parser::new(0).parse_all(&component).find_map(|payload| match payload.unwrap() {
                Payload::Version { encoding, .. } => Some(encoding),
                _ => None,
            }),
            Some(Encoding::Component)
        );
        let imports = imports(&component);
        assert!(!imports.is_empty(), "{name}: the test sees its imports");
        for import in imports {
            assert!(import.starts_with("headlint:policy/"), "{name} imports {import}");
        }
    }
}

#[test]
fn every_folder_is_a_policy_of_that_name() {
    let names: Vec<_> = cases::engine().policies().iter().map(|p| p.name().to_owned()).collect();
    let folders: Vec<_> = cases::policies().into_keys().collect();
    assert_eq!(names, folders);
}

#[test]
fn settings_that_a_policy_does_not_know_are_refused_by_key() {
    for policy in cases::engine().policies() {
        assert_eq!(policy.check_settings("{}").unwrap(), Ok(()), "{}", policy.name());
        let (key, message) = policy.check_settings(r#"{"colour": "red"}"#).unwrap().unwrap_err();
        assert_eq!(key, "colour");
        assert!(message.contains("`colour`"), "{message}");
        let schema: serde_json::Value = serde_json::from_str(policy.settings_schema()).unwrap();
        assert_eq!(schema["type"], "object");
    }
}
