//! What a configuration of CoreDNS does to the names of headless Services.

use std::ops::Range;

use headlint_policy_sdk::service::has;
use headlint_policy_sdk::types::{ByteRange, Traits};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Severity, Version, WRITTEN,
};
use serde_json::{Map, Value};

use crate::corefile::{Line, Plugin, Server, Word, plugins, servers};

/// The rule.
pub const RULE: Rule = Rule {
    id: "coredns-config-headless",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["ConfigMap"],
    operations: WRITTEN,
    only_if: &[Condition::Has(&["Corefile", "coredns"])],
    summary: "CoreDNS is told to answer for headless Services with nothing, or with what was",
    documentation: include_str!("coredns-config-headless.md"),
    check,
};

/// Seconds for which kubeadm has clients believe an answer.
const USUAL_TTL: u32 = 30;
/// Of `kubernetes`, in seconds.
///
/// # Source
/// coredns 1.15 `plugin/kubernetes/kubernetes.go` `defaultTTL`.
const DEFAULT_TTL: u32 = 5;
/// Answers that `cache` keeps, unless told otherwise.
///
/// # Source
/// coredns 1.15 `plugin/cache/cache.go` `defaultCap`.
const CAPACITY: u32 = 9984;

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let meta = review.meta();
    let of_coredns = meta.ref_.name.contains("coredns");
    if has(meta, Traits::DELETING) {
        return;
    }
    let Ok(found) = context.query(Version::New, "$.data") else { return };
    let Some(data) = found.first() else { return };
    let Ok(data) = serde_json::from_str::<Map<String, Value>>(&data.value) else { return };
    let zone = normal(&context.cluster().zone);
    for (key, text) in &data {
        let Some(text) = text.as_str() else { continue };
        let servers = if key == "Corefile" || (of_coredns && key.ends_with(".server")) {
            servers(text)
        } else if of_coredns && key.ends_with(".override") {
            // It becomes part of the server block that serves the cluster's zone.
            plugins(text).map(|plugins| vec![Server { keys: vec![zone.clone()], plugins }])
        } else {
            None
        };
        let mut told = Told { path: path(key), findings: &mut *findings };
        for server in servers.iter().flatten() {
            told.server(server, &zone);
        }
    }
}

/// JSONPath of a key of `data`.
fn path(key: &str) -> String {
    match key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => format!("$.data.{key}"),
        false => format!("$.data['{key}']"),
    }
}

/// A zone without its scheme and port, in small letters, without a dot at the end:
/// empty for the root.
fn normal(zone: &str) -> String {
    let zone = zone.split_once("://").map_or(zone, |(_, zone)| zone);
    let zone = match zone.rsplit_once(':') {
        Some((zone, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => zone,
        _ => zone,
    };
    zone.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a name is in a zone.
fn within(name: &str, zone: &str) -> bool {
    let rest = name.strip_suffix(zone);
    zone.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The zones of a plugin: those that it names, or else those of its server.
fn zones(named: &[Word], server: &Server) -> Vec<String> {
    match named {
        [] => server.keys.iter().map(|key| normal(key)).collect(),
        named => named.iter().map(|word| normal(&word.text)).collect(),
    }
}

fn number(word: Option<&Word>) -> Option<u32> {
    word?.text.parse().ok()
}

/// The findings about one text.
struct Told<'f> {
    path: String,
    findings: &'f mut Findings,
}

impl Told<'_> {
    fn add(&mut self, range: &Range<usize>, finding: Finding) {
        let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        let range = ByteRange { start: at(range.start), end: at(range.end) };
        self.findings.add(finding.range(Some(range)));
    }

    fn finding(&self) -> Finding {
        Finding::new(&RULE, self.path.as_str())
    }

    fn server(&mut self, server: &Server, cluster: &str) {
        let of = |name| server.plugins.iter().filter(move |plugin| plugin.head.name.text == name);
        let kubernetes = of("kubernetes").next();
        // Names of Services are in these zones.
        let mut zones = match kubernetes {
            Some(kubernetes) => zones(&kubernetes.head.args, server),
            None => server.keys.iter().map(|key| normal(key)).collect(),
        };
        zones.retain(|zone| match kubernetes {
            Some(_) => !within(zone, "arpa"),
            None => zone == cluster,
        });
        for template in of("template") {
            self.template(template, server, &zones);
        }
        let Some(zone) = zones.first() else { return };
        let is_cached =
            |cache: &&Plugin| cache_zones(cache, server).iter().any(|it| within(zone, it));
        let cache = of("cache").find(is_cached);
        if let Some(kubernetes) = kubernetes {
            self.no_endpoints(kubernetes, zone);
            for autopath in of("autopath") {
                self.autopath(autopath, kubernetes);
            }
        }
        self.times(kubernetes, cache, zone);
        if let Some(cache) = cache {
            self.stale(cache, zone);
            self.capacity(cache);
        }
    }

    fn no_endpoints(&mut self, kubernetes: &Plugin, zone: &str) {
        for line in kubernetes.properties("noendpoints") {
            let finding = self
                .finding()
                .severity(Severity::Error)
                .what("`noendpoints` keeps CoreDNS from watching EndpointSlices")
                .why(format!(
                    "the name of every headless Service in `{zone}`, and of every Pod behind one, \
                     is NXDOMAIN"
                ))
                .help("remove `noendpoints`");
            self.add(&line.name.range, finding);
        }
    }

    /// `autopath` needs to know whose address a question comes from.
    fn autopath(&mut self, autopath: &Plugin, kubernetes: &Plugin) {
        let Some(by) = autopath.head.args.last().filter(|it| it.text == "@kubernetes") else {
            return;
        };
        let mode = kubernetes.properties("pods").last();
        let mode =
            mode.map_or("disabled", |line| line.args.first().map_or("", |it| it.text.as_str()));
        if mode == "verified" || kubernetes.properties("import").next().is_some() {
            return;
        }
        let finding = self
            .finding()
            .what(format!("`autopath @kubernetes` does nothing: `kubernetes` has `pods {mode}`"))
            .why(
                "it doesn't know which Pod asks, and a client still asks once for each domain of \
                 its search list",
            )
            .help("write `pods verified`, which watches all Pods, or remove `autopath`");
        self.add(&by.range, finding);
    }

    /// How long clients believe an answer.
    ///
    /// # Source
    /// coredns 1.15 `plugin/cache/cache.go` `computeTTL`, `ResponseWriter.WriteMsg`.
    fn times(&mut self, kubernetes: Option<&Plugin>, cache: Option<&Plugin>, zone: &str) {
        let line = kubernetes.and_then(|plugin| plugin.properties("ttl").last());
        let ttl = line.and_then(|line| line.args.first());
        let given = match (kubernetes, ttl) {
            (Some(_), None) => DEFAULT_TTL,
            (_, word) => number(word).unwrap_or_default(),
        };
        // CoreDNS doesn't start with it.
        if given > 3600 {
            return;
        }
        let mut told = None;
        for (kind, longest) in [("success", 3600), ("denial", 1800)] {
            let kept = cache.map(|cache| Kept::of(cache, kind, longest)).unwrap_or_default();
            let least = number(kept.at_least).unwrap_or_default();
            let seconds = given.max(least).min(kept.at_most.unwrap_or(u32::MAX));
            let (word, help) = match least > given {
                true => (kept.at_least, "leave the shortest time of `cache` out".to_owned()),
                false => (ttl, format!("write `ttl {USUAL_TTL}` or less")),
            };
            let Some(word) = word.filter(|word| seconds > USUAL_TTL && told != Some(*word)) else {
                continue;
            };
            told = Some(word);
            let finding = self
                .finding()
                .what(format!("answers for `{zone}` are believed for {seconds} seconds"))
                .why("a client dials Pods that are gone, and doesn't find new ones, for as long")
                .help(help);
            self.add(&word.range, finding);
        }
    }

    /// What is served after its time is over, while it is asked for anew.
    fn stale(&mut self, cache: &Plugin, zone: &str) {
        let Some(line) = cache.properties("serve_stale").last() else { return };
        let for_how_long = line.args.first().map_or("1h", |it| it.text.as_str());
        let mode = line.args.get(1).map(|it| it.text.to_ascii_lowercase());
        let is_none = for_how_long.trim_end_matches(|it: char| it.is_ascii_alphabetic()) == "0";
        let is_disabled = |kind: &str| {
            let lines = cache.properties("disable").filter(|line| is(line.args.first(), kind));
            // Each of them replaces the one before.
            lines.last().is_some_and(|line| match &line.args[1..] {
                [] => true,
                zones => zones.iter().any(|it| within(zone, &normal(&it.text))),
            })
        };
        if mode.as_deref() == Some("verify")
            || is_none
            || (is_disabled("success") && is_disabled("denial"))
        {
            return;
        }
        let finding = self
            .finding()
            .what(format!(
                "`serve_stale` answers for `{zone}` with what was true up to {for_how_long} ago"
            ))
            .why(
                "who asks first after a Pod was replaced dials the old one, and who asked for a \
                 Pod too early gets NXDOMAIN once more",
            )
            .help(format!(
                "write `serve_stale {for_how_long} verify`, or add `disable success {zone}` and \
                 `disable denial {zone}`"
            ));
        self.add(&line.name.range, finding);
    }

    fn capacity(&mut self, cache: &Plugin) {
        let Some(line) = cache.properties("success").last() else { return };
        let Some(word) = line.args.first() else { return };
        let Some(count) = number(Some(word)).filter(|count| *count < CAPACITY) else { return };
        let finding = self
            .finding()
            .severity(Severity::Info)
            .what(format!(
                "`success {count}` keeps fewer answers than the {CAPACITY} that `cache` keeps by \
                 itself"
            ))
            .why("answers are dropped at random before their time, and asked for again")
            .help("leave the number out, or write a larger one");
        self.add(&word.range, finding);
    }

    /// It is asked before `kubernetes` is.
    fn template(&mut self, template: &Plugin, server: &Server, cluster: &[String]) {
        if let Some(line) = template.properties("ttl").next() {
            let finding = self
                .finding()
                .severity(Severity::Error)
                .what("`template` has a line `ttl`, and knows no such word")
                .why("CoreDNS doesn't start with it: no name of the cluster is found")
                .help("write the time into `answer`, such as `{{ .Name }} 30 IN A 192.0.2.1`");
            self.add(&line.name.range, finding);
            return;
        }
        let [class, kind, named @ ..] = template.head.args.as_slice() else { return };
        let of_service = ["IN", "ANY"].contains(&class.text.as_str())
            && ["A", "SRV", "ANY"].contains(&kind.text.as_str());
        let own = zones(named, server);
        let services = cluster.iter().map(|zone| format!("svc.{zone}"));
        let touched: Vec<_> = services
            .filter(|services| own.iter().any(|own| within(services, own) || within(own, services)))
            .collect();
        if !of_service || touched.is_empty() {
            return;
        }
        for line in template.properties("answer") {
            for word in &line.args {
                let Some(field) = unknown_field(&word.text) else { continue };
                let finding = self
                    .finding()
                    .severity(Severity::Error)
                    .what(format!("`answer` has `.{field}` in it, and there is no such thing"))
                    .why("CoreDNS answers each question that the template matches with SERVFAIL")
                    .help("leave these names to `kubernetes`, which knows the addresses of Pods");
                self.add(&word.range, finding);
                return;
            }
        }
        let hidden =
            touched.into_iter().find(|services| own.iter().any(|own| within(services, own)));
        let Some(hidden) = hidden.filter(|_| matches_all(template)) else { return };
        let finding = self
            .finding()
            .what(format!("`template` answers {} questions for all of `{hidden}`", kind.text))
            .why(
                "`kubernetes` is never asked: headless Services and the Pods behind them have the \
                 same answer, or none",
            )
            .help("give `template` a zone of its own, or a `match` for the names that it is about");
        self.add(&template.head.name.range, finding);
    }
}

fn is(word: Option<&Word>, text: &str) -> bool {
    word.is_some_and(|word| word.text == text)
}

/// The zones that `cache` is about: a number before them is a time.
fn cache_zones(cache: &Plugin, server: &Server) -> Vec<String> {
    match cache.head.args.as_slice() {
        [first, rest @ ..] if first.text.parse::<i64>().is_ok() => zones(rest, server),
        args => zones(args, server),
    }
}

/// For how many seconds `cache` keeps a kind of answers.
#[derive(Default)]
struct Kept<'c> {
    /// Where it says so.
    at_least: Option<&'c Word>,
    /// None without `cache`.
    at_most: Option<u32>,
}

impl<'c> Kept<'c> {
    fn of(cache: &'c Plugin, kind: &str, longest: u32) -> Self {
        let Line { args, .. } = &cache.head;
        let line = cache.properties.iter().rev().find(|line| line.name.text == kind);
        let arg = |at: usize| line.and_then(|line| line.args.get(at));
        let at_most = number(arg(1)).or_else(|| number(args.first()));
        Self { at_least: arg(2), at_most: Some(at_most.unwrap_or(longest)) }
    }
}

/// Whether every name of its zones is the template's.
fn matches_all(template: &Plugin) -> bool {
    const ALL: [&str; 6] = [".*", "^.*$", "(.*)", "^(.*)$", ".+", "^.+$"];
    let mut matches = template.properties("match").flat_map(|line| &line.args).peekable();
    let decides = ["expr", "import"].iter().any(|name| template.properties(name).next().is_some());
    !decides && (matches.peek().is_none() || matches.any(|it| ALL.contains(&it.text.as_str())))
}

/// A field that a template of an answer uses, and that its data doesn't have.
///
/// # Source
/// coredns 1.15 `plugin/template/template.go` `templateData`.
fn unknown_field(answer: &str) -> Option<&str> {
    const FIELDS: [&str; 11] = [
        "Zone", "Name", "Regex", "Match", "Group", "Class", "Type", "Message", "Question",
        "Remote", "Var",
    ];
    // There a dot means something else.
    if ["range", "with", "define", "block"].iter().any(|word| answer.contains(word)) {
        return None;
    }
    let actions = answer.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0));
    let words = actions.flat_map(|action| action.split([' ', '(', ')', '|', '-', '\t']));
    let fields = words.filter_map(|word| {
        let name = word.strip_prefix('.')?;
        let end = name.find(|it: char| !it.is_ascii_alphanumeric()).unwrap_or(name.len());
        Some(&name[..end])
    });
    let is_field = |name: &str| name.starts_with(|it: char| it.is_ascii_uppercase());
    fields.into_iter().find(|it| is_field(it) && !FIELDS.contains(it) && *it != "Meta")
}
