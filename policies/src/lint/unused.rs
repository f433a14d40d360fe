//! Exemptions that cover nothing: what they were made for is gone, or they have
//! expired, or they never meant any rule.

use std::sync::Arc;

use super::comments::{Comments, Named};
use super::{Item, Options};
use crate::config::{Exemption, nearest};
use crate::engine::{Engine, Operation, RuleInfo};
use crate::finding::{Finding, Fingerprint, Location, ObjectRef, SCHEMA};
use crate::manifest::{Node, Source, Span, Style, Value};
use crate::path::Path;
use crate::raw;

/// What is told of exemptions that cover nothing in this run.
pub(super) fn findings(
    engine: &Engine,
    items: &[Item],
    comments: &Comments,
    options: &Options,
) -> Vec<Finding> {
    let rule = raw::unused_exemption();
    if !options.rules.admits(rule) {
        return Vec::new();
    }
    let mut findings: Vec<_> = options
        .exemptions
        .source()
        .map(|source| {
            let told = options.exemptions.iter();
            let told = told.filter_map(|one| written(engine, rule, source, one, options));
            told.collect()
        })
        .unwrap_or_default();
    findings.extend(comments.unused().filter_map(|one| named(engine, rule, items, one, options)));
    findings.extend(items.iter().flat_map(|item| annotated(engine, rule, item)));
    if let Some(severity) = options.severities.get(&rule.id) {
        findings.iter_mut().for_each(|finding| finding.severity = *severity);
    }
    findings
}

/// What covers nothing, where it stands, and what to do.
struct Unused<'s> {
    object: ObjectRef,
    path: &'static str,
    /// What tells it from others of the object.
    key: &'s str,
    source: &'s Source,
    span: Span,
    message: String,
    why: &'s str,
    help: String,
}

impl Unused<'_> {
    fn finding(self, rule: &RuleInfo) -> Finding {
        let Self { object, path, key, source, span, message, why, help } = self;
        Finding {
            fingerprint: Fingerprint::new(&rule.id, &object, path, key),
            rule: rule.id.clone(),
            policy: raw::POLICY.to_owned(),
            severity: rule.severity,
            message,
            why: why.to_owned(),
            help,
            location: Some(source.location(span)),
            path: path.to_owned(),
            object,
            related: Vec::new(),
            edits: Vec::new(),
        }
    }
}

const HIDES: &str = "it hides what comes later";

/// One of a configuration.
fn written(
    engine: &Engine,
    rule: &RuleInfo,
    source: &Arc<Source>,
    exemption: &Exemption,
    options: &Options,
) -> Option<Finding> {
    let reason = exemption.reason();
    let (message, why) = match exemption.expires() {
        Some(day) if exemption.is_expired(options.today) => (
            format!("the exemption \"{reason}\" has expired on {day}"),
            "what it was made for is reported again",
        ),
        _ => {
            let mut rules = exemption.rules().peekable();
            // One that names no rule is about all of them.
            let runs = match rules.peek() {
                Some(_) => rules.all(|id| runs(engine, id, options)),
                None => options.rules.only.is_empty() && options.rules.skip.is_empty(),
            };
            if exemption.uses() > 0 || !options.whole || !runs {
                return None;
            }
            (format!("the exemption \"{reason}\" covers nothing"), HIDES)
        }
    };
    let object = ObjectRef {
        api_version: SCHEMA.to_owned(),
        kind: "Configuration".to_owned(),
        name: source.name.clone(),
        ..ObjectRef::default()
    };
    let (path, span) = ("$.exemptions", exemption.place(source));
    let help = "remove it".to_owned();
    Some(Unused { object, path, key: reason, source, span, message, why, help }.finding(rule))
}

/// A rule that a comment names.
fn named(
    engine: &Engine,
    rule: &RuleInfo,
    items: &[Item],
    named: &Named,
    options: &Options,
) -> Option<Finding> {
    let item = items.iter().find(|item| is_about(item, named))?;
    let id = named.rule.as_str();
    let (message, help) = if id.is_empty() {
        let help = "write `# headlint: ignore[rule]` with the rules that it is about".to_owned();
        ("this comment ignores no rule".to_owned(), help)
    } else if let Some(help) = unknown(engine, id) {
        (format!("this comment ignores `{id}`, and there is no such rule"), help)
    } else if options.whole && runs(engine, id, options) {
        let message = format!("this comment ignores `{id}`, which finds nothing here");
        (message, "remove it".to_owned())
    } else {
        return None;
    };
    if is_text(&item.document.tree(), named.span) {
        return None;
    }
    let object = item.projected.meta().object_ref.clone();
    let (source, span) = (&*named.source, named.span);
    let unused = Unused { object, path: "$", key: id, source, span, message, why: HIDES, help };
    Some(unused.finding(rule))
}

/// Rules that the annotation of an object names, and that don't exist. Whether
/// others cover anything is known only where the webhook is, too.
fn annotated(engine: &Engine, rule: &RuleInfo, item: &Item) -> Vec<Finding> {
    let unknown = item.projected.ignored.iter().filter_map(|id| Some((id, unknown(engine, id)?)));
    let finding = |(id, help): (&String, String)| {
        let path = "$.metadata.annotations['headlint.dev/ignore']";
        let place = path.parse::<Path>().ok()?;
        let span = place.resolve(&item.document.tree()).highlight();
        let object = item.projected.meta().object_ref.clone();
        let message = format!("this annotation ignores `{id}`, and there is no such rule");
        let source = &**item.document.source();
        let unused = Unused { object, path, key: id, source, span, message, why: HIDES, help };
        Some(unused.finding(rule))
    };
    unknown.filter_map(finding).collect()
}

/// What to do about a rule that doesn't exist; none for one that does.
fn unknown(engine: &Engine, id: &str) -> Option<String> {
    let rules = engine.rules();
    let known = || rules.iter().map(|(_, rule)| rule.id.as_str());
    if known().any(|one| one == id) {
        return None;
    }
    Some(match nearest(id, known()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`headlint rules` lists all rules".to_owned(),
    })
}

fn runs(engine: &Engine, id: &str, options: &Options) -> bool {
    engine.rules().iter().any(|(_, rule)| rule.id == id && is_asked(rule, options))
}

/// Whether a rule could have found something: those about changes need an old
/// version.
fn is_asked(rule: &RuleInfo, options: &Options) -> bool {
    let asked = rule.operations.contains(&Operation::Create) || !options.base.is_empty();
    asked && options.rules.admits(rule)
}

/// Whether a comment is about a line of this object.
fn is_about(item: &Item, named: &Named) -> bool {
    let (source, span) = (item.document.source(), item.document.span());
    let Location { line, end_line, .. } = source.location(span);
    Arc::ptr_eq(source, &named.source) && (line..=end_line).contains(&named.line)
}

/// Whether what stands there is a part of a scalar, such as a manifest in a
/// ConfigMap: then it is no comment of ours.
fn is_text(node: &Node, at: Span) -> bool {
    let holds = |span: Span| span.start <= at.start && at.end <= span.end;
    match &node.value {
        Value::Mapping(entries) => entries.iter().any(|entry| is_text(&entry.value, at)),
        Value::Sequence(items) => items.iter().any(|item| is_text(item, at)),
        _ => node.style != Style::Collection && holds(node.span),
    }
}
