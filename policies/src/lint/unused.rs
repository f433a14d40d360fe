//! Exemptions that cover nothing: what they were made for is gone, or they have
//! expired, or they never meant any rule.

use std::sync::Arc;

use super::comments::{Comments, Named};
use super::{Item, Options};
use crate::config::{Exemption, nearest};
use crate::engine::{Engine, RuleInfo};
use crate::finding::{Finding, Fingerprint, Location, ObjectRef, SCHEMA};
use crate::manifest::{Node, Source, Span, Style, Value};
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
    if let Some(severity) = options.severities.get(&rule.id) {
        findings.iter_mut().for_each(|finding| finding.severity = *severity);
    }
    findings
}

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
            let runs = |id: &str| runs(engine, id, options);
            let could = exemption.uses() == 0 && options.whole && exemption.rules().all(runs);
            could.then(|| {
                (format!("the exemption \"{reason}\" covers nothing"), "it hides what comes later")
            })?
        }
    };
    let object = ObjectRef {
        api_version: SCHEMA.to_owned(),
        kind: "Configuration".to_owned(),
        name: source.name.clone(),
        ..ObjectRef::default()
    };
    Some(Finding {
        fingerprint: Fingerprint::new(&rule.id, &object, "$.exemptions", reason),
        rule: rule.id.clone(),
        policy: raw::POLICY.to_owned(),
        severity: rule.severity,
        message,
        why: why.to_owned(),
        help: "remove it".to_owned(),
        location: Some(source.location(exemption.place(source))),
        path: "$.exemptions".to_owned(),
        object,
        related: Vec::new(),
        edits: Vec::new(),
    })
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
    let known: Vec<_> = engine.rules().iter().map(|(_, rule)| rule.id.as_str()).collect();
    let id = named.rule.as_str();
    let (message, help) = if !known.contains(&id) {
        let help = match nearest(id, known.iter().copied()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "`headlint rules` lists all rules".to_owned(),
        };
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
    Some(Finding {
        fingerprint: Fingerprint::new(&rule.id, &object, "$", id),
        rule: rule.id.clone(),
        policy: raw::POLICY.to_owned(),
        severity: rule.severity,
        message,
        why: "it hides what comes later".to_owned(),
        help,
        location: Some(named.source.location(named.span)),
        path: "$".to_owned(),
        object,
        related: Vec::new(),
        edits: Vec::new(),
    })
}

fn runs(engine: &Engine, id: &str, options: &Options) -> bool {
    engine.rules().iter().any(|(_, rule)| rule.id == id && options.rules.admits(rule))
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
