//! Flags of a JVM that don't do what they are written for.

use headlint_policy_sdk::service::has;
use headlint_policy_sdk::types::{ByteRange, Traits};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, MAKES_PODS, Review, Rule, Safety, Severity,
    WRITTEN,
};

use crate::texts::containers;

/// The rule.
pub const RULE: Rule = Rule {
    id: "jvm-dns-ttl-ineffective",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: MAKES_PODS,
    operations: WRITTEN,
    only_if: &[Condition::Has(&["-Dnetworkaddress.cache.", "-Dsun.net.inetaddr."])],
    summary: "a flag is to tell a JVM how long to believe DNS, and doesn't",
    documentation: include_str!("jvm-dns-ttl-ineffective.md"),
    check,
};

/// What is wrong with a flag.
struct Flag {
    /// With its `-D`.
    name: &'static str,
    /// Only this value is wrong.
    value: Option<&'static str>,
    what: &'static str,
    why: &'static str,
    help: &'static str,
    /// What to write in place of the name.
    instead: Option<&'static str>,
    /// Whether a file of security properties may make it right.
    depends_on_file: bool,
}

/// # Source
/// OpenJDK 21 `java/net/InetAddress` `InetAddressCachePolicy`: the security
/// property goes first, then the system property `sun.net.inetaddr.*`;
/// `java.security` sets `networkaddress.cache.negative.ttl=10`.
const FLAGS: [Flag; 4] = [
    Flag {
        name: "-Dnetworkaddress.cache.ttl",
        value: None,
        what: "sets a system property, and the JVM reads the security property of that name",
        why: "it has no effect: the JVM believes an address for 30 seconds, and dials Pods that are gone",
        help: "write `-Dsun.net.inetaddr.ttl=…`, or set it in a file for `-Djava.security.properties`",
        instead: Some("-Dsun.net.inetaddr.ttl"),
        depends_on_file: false,
    },
    Flag {
        name: "-Dnetworkaddress.cache.negative.ttl",
        value: None,
        what: "sets a system property, and the JVM reads the security property of that name",
        why: "it has no effect: the JVM believes for 10 seconds that a Pod isn't there yet",
        help: "set it in a file for `-Djava.security.properties`",
        instead: None,
        depends_on_file: false,
    },
    Flag {
        name: "-Dsun.net.inetaddr.negative.ttl",
        value: None,
        what: "is read only if the security property `networkaddress.cache.negative.ttl` isn't \
        set, and the JDK sets it",
        why: "it has no effect: the JVM believes for 10 seconds that a Pod isn't there yet",
        help: "set `networkaddress.cache.negative.ttl` in a file for `-Djava.security.properties`",
        instead: None,
        depends_on_file: true,
    },
    Flag {
        name: "-Dsun.net.inetaddr.ttl",
        value: Some("-1"),
        what: "has the JVM believe an address for ever",
        why: "once a Pod is replaced, the client dials its old address until it is restarted itself",
        help: "write a number of seconds, such as `-Dsun.net.inetaddr.ttl=5`",
        instead: None,
        depends_on_file: false,
    },
];

/// A file of security properties.
const FILE: &str = "-Djava.security.properties=";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(workload) = review.workload() else { return };
    if has(&workload.meta, Traits::DELETING) {
        return;
    }
    for container in containers(workload, context) {
        let texts = container.texts();
        let has_file = texts.iter().any(|text| text.value.contains(FILE));
        for text in &texts {
            for flag in FLAGS.iter().filter(|flag| !(has_file && flag.depends_on_file)) {
                let Some(range) = find(text.value, flag) else { continue };
                let start = u32::try_from(range.start).unwrap_or(u32::MAX);
                let end = u32::try_from(range.end).unwrap_or(u32::MAX);
                let finding = Finding::new(&RULE, text.path.as_str())
                    .range(Some(ByteRange { start, end }))
                    .what(format!("`{}` {}", &text.value[range], flag.what))
                    .why(flag.why)
                    .help(flag.help);
                findings.add(match flag.instead {
                    Some(instead) => {
                        let mended =
                            text.value.replace(&format!("{}=", flag.name), &format!("{instead}="));
                        finding.set(text.path.as_str(), mended.into(), Safety::Proposed)
                    }
                    None => finding,
                });
            }
        }
    }
}

/// Where a flag stands with its value.
fn find(text: &str, flag: &Flag) -> Option<std::ops::Range<usize>> {
    text.match_indices(flag.name).find_map(|(start, name)| {
        let value = text[start + name.len()..].strip_prefix('=')?;
        let length = value.find(|byte: char| byte.is_whitespace() || "\"',;".contains(byte));
        let value = &value[..length.unwrap_or(value.len())];
        flag.value
            .is_none_or(|wrong| wrong == value)
            .then(|| start..start + name.len() + 1 + value.len())
    })
}
