//! A manifest means to us what it means to kubectl.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use headlint_tests::cases::root;
use headlint_tests::generate;
use headlint_tests::kubectl::{ask, difference, ours};

/// Files of `tests/kubectl` that we read in another way, and why we want to.
const INTENDED: &[(&str, &str)] = &[
    ("escape-quote.yaml", "libyaml refuses `\\'`, which no version of YAML has"),
    ("flow-colon-end.yaml", "libyaml refuses `{a:}`, and the key `a:` is what nobody means"),
    ("invalid-utf8.yaml", "kubectl sends U+FFFD for what is no text, which nobody means"),
    ("json-surrogate.json", "kubectl sends U+FFFD for half of a surrogate pair"),
    ("kustomization.yaml", "it is for kustomize, and no API server takes it"),
    ("template-plain.yaml", "a template that wasn't rendered is no manifest"),
    ("version-missing.yaml", "kubectl itself refuses it one step later, in search of its kind"),
];

fn name(path: &std::path::Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn odd_files_mean_what_they_mean_to_kubectl() {
    let entries = fs::read_dir(root().join("tests/kubectl")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    let mut intended: BTreeMap<_, _> = INTENDED.iter().copied().collect();
    let mut wrong = String::new();
    for (file, theirs) in files.iter().zip(ask(&files)) {
        let difference = difference(&ours(fs::read(file).unwrap()), &theirs);
        let name = name(file);
        match (difference, intended.remove(name.as_str())) {
            (Some(difference), None) => wrong += &format!("{name}: {difference}\n"),
            (None, Some(reason)) => wrong += &format!("{name}: no difference, although {reason}\n"),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(intended.is_empty(), "files that are gone: {intended:?}");
    println!("{} files, {} intended differences", files.len(), INTENDED.len());
}

#[test]
fn generated_files_mean_what_they_mean_to_kubectl() {
    const FILES: u64 = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..FILES).map(generate::file).collect();
    let write = |(seed, text): (usize, &String)| {
        let path: PathBuf = folder.path().join(format!("{seed}.yaml"));
        fs::write(&path, text).unwrap();
        path
    };
    let files: Vec<_> = texts.iter().enumerate().map(write).collect();
    let (mut different, mut objects, mut refused) = (Vec::new(), 0, 0);
    for (seed, (text, theirs)) in texts.iter().zip(ask(&files)).enumerate() {
        objects += theirs.objects.len();
        refused += usize::from(theirs.error.is_some());
        if let Some(difference) = difference(&ours(text.clone().into_bytes()), &theirs) {
            different.push(format!("seed {seed}: {difference}\n{text}"));
        }
    }
    println!("{FILES} files, {objects} objects, {refused} files refused");
    let few = different.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} files differ:\n{few}", different.len());
    assert!(refused < texts.len() / 3, "most of what is generated is read");
}
