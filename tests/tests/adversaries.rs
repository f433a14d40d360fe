//! Policies that mean harm: each one is contained, named with its reason, and
//! never passes for a policy that found nothing.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Duration;

use headlint_policies::engine::{Engine, Limits};
use headlint_policies::finding::Report;
use headlint_policies::lint::{Options, lint};
use headlint_policies::manifest::Source;
use headlint_tests::guest::Guest;

/// A Service that a built-in policy has something to say about, so that a test
/// sees whether the others go on.
const MANIFEST: &str = "
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: none, ports: [{port: 5432}]}
";

/// The same, nested deeply enough to make `$..*..*` costly.
fn nested() -> String {
    let (open, close) = ("{a: ".repeat(200), "}".repeat(200));
    format!("{MANIFEST}status: {open}1{close}\n")
}

fn run(manifest: &str, policies: &[(&str, Vec<u8>)], limits: Limits) -> Report {
    let mut engine = Engine::builtin(limits, 4, None).unwrap();
    let mut faults = Vec::new();
    for (name, bytes) in policies {
        faults.extend(engine.load(name, bytes).err());
    }
    let source = Arc::new(Source::new("db.yaml", manifest.as_bytes().to_vec()).unwrap());
    let options =
        Options { complete: false, default_namespace: "default".to_owned(), ..Options::default() };
    let mut report = lint(&engine, vec![Ok(source)], &options, &|_, _| {}).report;
    report.faults.extend(faults);
    report
}

/// Runs a guest beside the built-in policies: they find what they always
/// find, and the guest's fault has this reason.
#[track_caller]
fn ends_with(guest: &Guest, reason: &str) {
    ends_within(guest, MANIFEST, Limits::default(), reason);
}

#[track_caller]
fn ends_within(guest: &Guest, manifest: &str, limits: Limits, reason: &str) {
    let alone = run(manifest, &[], limits);
    assert!(alone.faults.is_empty(), "{:?}", alone.faults);
    let report = run(manifest, &[(guest.name, guest.component())], limits);
    assert_eq!(report.findings, alone.findings, "the other policies go on");
    let [fault] = report.faults.as_slice() else { panic!("one fault: {:?}", report.faults) };
    assert_eq!(fault.policy, guest.name);
    assert!(fault.digest.starts_with("sha256:"), "{}", fault.digest);
    assert!(fault.reason.contains(reason), "{} should contain {reason}", fault.reason);
    println!("{:22} {}", guest.name, fault.reason);
}

#[test]
fn a_quiet_guest_is_no_fault() {
    let guest = Guest::quiet("quiet");
    let report = run(MANIFEST, &[("quiet", guest.component())], Limits::default());
    assert_eq!(report.faults, []);
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
}

#[test]
fn a_guest_that_takes_the_name_of_a_rule_about_text_is_refused() {
    for name in ["manifest", "yaml-duplicate-key"] {
        ends_with(&Guest::quiet(name), "is taken by a policy that was loaded before");
    }
}

#[test]
fn a_guest_that_finds_something_is_heard() {
    let mut guest = Guest::evaluating("loud", format!("i32.const {}", Guest::DATA));
    guest.data = Guest::findings(1, b"loud", b"$.spec.clusterIP", b"something");
    let report = run(MANIFEST, &[("loud", guest.component())], Limits::default());
    assert_eq!(report.faults, []);
    let loud = report.findings.iter().find(|finding| finding.rule == "loud").unwrap();
    assert_eq!((loud.location.as_ref().unwrap().line, loud.message.as_str()), (5, "something"));
}

#[test]
fn a_core_module_with_its_world_is_loaded_as_well() {
    let report = run(MANIFEST, &[("quiet", Guest::quiet("quiet").module())], Limits::default());
    assert_eq!(report.faults, []);
}

#[test]
fn a_trap_is_contained() {
    ends_with(&Guest::evaluating("trap", "unreachable"), "trapped: wasm `unreachable`");
}

#[test]
fn an_endless_loop_ends_at_the_deadline() {
    let guest = Guest::evaluating("endless-loop", "(loop $again br $again) unreachable");
    let limits = Limits::within(Duration::from_millis(50));
    ends_within(&guest, MANIFEST, limits, "gave no answer within 50 ms");
}

#[test]
fn an_endless_loop_is_asked_only_until_its_first_deadline() {
    let many: String = (0..200)
        .map(|index| format!("---{}", MANIFEST.replace("db", &format!("db-{index}"))))
        .collect();
    let guest = Guest::evaluating("endless-loop", "(loop $again br $again) unreachable");
    let report =
        run(&many, &[(guest.name, guest.component())], Limits::within(Duration::from_millis(200)));
    assert_eq!(report.findings.len(), 200);
    let [deadline, unasked] = report.faults.as_slice() else {
        panic!("two faults: {:?}", report.faults)
    };
    assert!(deadline.reason.contains("gave no answer within 200 ms"), "{}", deadline.reason);
    assert!(unasked.reason.contains("was not asked about 19"), "{}", unasked.reason);
}

#[test]
fn a_loop_over_host_calls_runs_out_of_work() {
    let mut guest = Guest::evaluating(
        "host-call-loop",
        "(loop $again (call $cluster (i32.const 64)) br $again) unreachable",
    );
    guest.imports =
        r#"(import "headlint:policy/context@1.0.0" "cluster" (func $cluster (param i32)))"#;
    ends_within(
        &guest,
        MANIFEST,
        Limits { work: 100_000, ..Limits::default() },
        "its look-ups cost more than one evaluation may spend",
    );
}

/// Asks one query over and over until it is refused as too costly, then traps
/// with an access out of bounds, so that the test sees that it was.
fn querying(name: &'static str, query: &str) -> Guest {
    let mut guest = Guest::evaluating(
        name,
        format!(
            "(loop $again
               (call $query (i32.const 0) (i32.const {at}) (i32.const {len}) (i32.const 64))
               (br_if $again (i32.eqz (i32.load8_u (i32.const 64)))))
             ;; err, of case too-costly
             (if (i32.eq (i32.load8_u (i32.const 68)) (i32.const 1))
               (then (drop (i32.load (i32.const -4)))))
             unreachable",
            at = Guest::DATA,
            len = query.len(),
        ),
    );
    guest.imports =
        r#"(import "headlint:policy/context@1.0.0" "query" (func $query (param i32 i32 i32 i32)))"#;
    guest.data = query.as_bytes().to_vec();
    guest
}

#[test]
fn a_costly_query_is_refused_before_it_runs() {
    let limits = Limits { work: 10_000_000, ..Limits::default() };
    let guest = querying("costly-query", "$..*..*..*");
    ends_within(&guest, &nested(), limits, "out of bounds memory access");
}

#[test]
fn growing_memory_ends_at_the_limit() {
    let guest = Guest::evaluating(
        "memory-growth",
        "(loop $again (drop (memory.grow (i32.const 16))) br $again) unreachable",
    );
    ends_with(&guest, "wants more than 64 MiB of memory");
}

#[test]
fn a_memory_too_large_from_the_start_is_refused() {
    let mut guest = Guest::quiet("memory-hog");
    guest.data = vec![1; 65 << 20];
    let report = run(MANIFEST, &[("memory-hog", guest.component())], Limits::default());
    assert_eq!(report.findings.len(), 1);
    let [fault] = report.faults.as_slice() else { panic!("one fault: {:?}", report.faults) };
    assert!(fault.reason.contains("memory"), "{}", fault.reason);
    println!("{:22} {}", guest.name, fault.reason);
}

#[test]
fn a_deep_recursion_uses_up_its_stack() {
    let mut guest = Guest::evaluating("deep-recursion", "(call $deeper) unreachable");
    guest.items = "(func $deeper (call $deeper) (call $deeper))";
    ends_with(&guest, "used up its stack");
}

#[test]
fn a_hundred_thousand_findings_are_too_many() {
    let mut guest = Guest::evaluating("many-findings", format!("i32.const {}", Guest::DATA));
    guest.data = Guest::findings(100_000, b"many-findings", b"$.spec", b"again");
    ends_with(&guest, "sent a message of more than");
    guest.data = Guest::findings(1_001, b"many-findings", b"$.spec", b"again");
    ends_with(&guest, "1001 findings on one object, more than 1000");
}

#[test]
fn a_message_that_names_the_same_bytes_often_is_bounded() {
    let mut guest = Guest::evaluating("loud-findings", format!("i32.const {}", Guest::DATA));
    guest.data = Guest::findings(900, b"loud-findings", b"$.spec", &vec![b'a'; 100_000]);
    ends_with(&guest, "sent a message of more than");
}

#[test]
fn text_that_is_not_utf_8_is_malformed_output() {
    let mut guest = Guest::evaluating("invalid-utf-8", format!("i32.const {}", Guest::DATA));
    guest.data = Guest::findings(1, b"invalid-utf-8", b"$.spec", b"\xff\xfe");
    ends_with(&guest, "a text that isn't UTF-8");
}

#[test]
fn a_list_out_of_bounds_is_malformed_output() {
    let mut guest = Guest::evaluating("wild-list", format!("i32.const {}", Guest::DATA));
    guest.data = [u32::MAX - 64, 10].iter().flat_map(|word| word.to_le_bytes()).collect();
    ends_with(&guest, "answered with what can't be taken");
}

#[test]
fn findings_of_a_rule_of_others_are_malformed_output() {
    let mut guest = Guest::evaluating("impostor", format!("i32.const {}", Guest::DATA));
    guest.data = Guest::findings(1, b"port-list-invalid", b"$.spec", b"not mine");
    ends_with(&guest, "a finding of the rule `port-list-invalid`, which it doesn't hold");
}

#[test]
fn a_path_that_is_none_is_malformed_output() {
    let mut guest = Guest::evaluating("lost", format!("i32.const {}", Guest::DATA));
    guest.data = Guest::findings(1, b"lost", b"spec..ports[", b"where?");
    ends_with(&guest, "the path `spec..ports[`");
}

/// Loads bytes that no engine should take: the reason is told, and the
/// built-in policies go on.
#[track_caller]
fn is_not_loaded(name: &str, bytes: Vec<u8>, reason: &str) {
    let report = run(MANIFEST, &[(name, bytes)], Limits::default());
    assert_eq!(report.findings.len(), 1, "the other policies go on");
    let [fault] = report.faults.as_slice() else { panic!("one fault: {:?}", report.faults) };
    assert_eq!(fault.policy, name);
    assert!(fault.reason.contains(reason), "{} should contain {reason}", fault.reason);
    println!("{name:22} {}", fault.reason);
}

#[test]
fn another_version_of_the_contract_is_refused_by_name() {
    let component = r#"(component
        (instance $rules)
        (export "headlint:policy/rules@2.0.0" (instance $rules)))"#;
    is_not_loaded(
        "wrong-version",
        wat::parse_str(component).unwrap(),
        "was made for headlint:policy/rules@2.0.0; this headlint speaks headlint:policy@1.0.0",
    );
}

#[test]
fn a_component_that_wants_wasi_is_refused_by_name() {
    let component = r#"(component
        (import "wasi:clocks/wall-clock@0.2.0" (instance
            (export "now" (func (result u64))))))"#;
    is_not_loaded(
        "wasi",
        wat::parse_str(component).unwrap(),
        "imports `wasi:clocks/wall-clock@0.2.0`, which no policy gets",
    );
}

#[test]
fn a_component_without_the_exports_is_refused() {
    let component = wat::parse_str("(component)").unwrap();
    is_not_loaded("stranger", component, "doesn't export `headlint:policy/rules@1.0.0`");
}

#[test]
fn bytes_that_are_no_component_are_refused() {
    is_not_loaded("garbage", b"\x7fELF not wasm".to_vec(), "not a WebAssembly component");
    is_not_loaded("nothing", Vec::new(), "not a WebAssembly component");
    let plain = wat::parse_str("(module)").unwrap();
    is_not_loaded("plain-module", plain, "it is no headlint policy");
}

#[test]
fn the_name_of_another_policy_is_taken() {
    let report = run(
        MANIFEST,
        &[
            ("first.wasm", Guest::quiet("twin").component()),
            ("second.wasm", Guest::quiet("twin").component()),
        ],
        Limits::default(),
    );
    let [fault] = report.faults.as_slice() else { panic!("one fault: {:?}", report.faults) };
    assert_eq!(fault.policy, "second.wasm");
    assert!(fault.reason.contains("the policy name `twin` is taken"), "{}", fault.reason);
}

#[test]
fn a_look_up_outside_of_an_evaluation_is_a_fault() {
    let mut guest = Guest::quiet("eager");
    guest.imports =
        r#"(import "headlint:policy/context@1.0.0" "cluster" (func $cluster (param i32)))"#;
    guest.describe = "(call $cluster (i32.const 64))";
    let report = run(MANIFEST, &[("eager", guest.component())], Limits::default());
    let [fault] = report.faults.as_slice() else { panic!("one fault: {:?}", report.faults) };
    assert!(fault.reason.contains("outside of an evaluation"), "{}", fault.reason);
    assert_eq!(report.findings.len(), 1);
}
