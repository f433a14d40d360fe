//! What a change of a Service or StatefulSet leaves behind, what it merely seems
//! to change, and what can't be changed.

pub mod cluster_ip_immutable;
pub mod cluster_ip_none_dropped_no_op;
pub mod governing_service_deleted;
pub mod selector_added_keeps_dual_stack;
pub mod selector_removed_freezes_endpoints;
pub mod statefulset_service_name_changed;

headlint_policy_sdk::policy! {
    name: "changes",
    rules: [
        cluster_ip_none_dropped_no_op::RULE,
        selector_removed_freezes_endpoints::RULE,
        governing_service_deleted::RULE,
        statefulset_service_name_changed::RULE,
        selector_added_keeps_dual_stack::RULE,
        cluster_ip_immutable::RULE,
    ],
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::{self, Snapshot};
    use headlint_policy_sdk::types::{Label, Metadata, Object, ObjectRef, Service, Traits};
    use headlint_policy_sdk::{Findings, Operation, Origin, Review, Rule};

    pub(crate) fn metadata(api_version: &str, kind: &str, name: &str) -> Metadata {
        let namespaced = kind != "Namespace";
        Metadata {
            ref_: ObjectRef {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace: if namespaced { "shop".to_owned() } else { String::new() },
                name: name.to_owned(),
            },
            labels: Vec::new(),
            traits: Traits::empty(),
        }
    }

    /// Headless, over `app=db`.
    pub(crate) fn service() -> Service {
        Service {
            cluster_ip: Some("None".to_owned()),
            selector: vec![Label { key: "app".to_owned(), value: "db".to_owned() }],
            ..fake::service(metadata("v1", "Service", "db"))
        }
    }

    /// Whether a rule speaks about a change; a deletion where there is no new
    /// version.
    pub(crate) fn fires(rule: &Rule, old: Service, new: Option<Service>, world: &Snapshot) -> bool {
        let operation = if new.is_some() { Operation::Update } else { Operation::Delete };
        let (object, old) = match new {
            Some(new) => (new, Some(Object::Service(old))),
            None => (old, None),
        };
        let review = Review {
            settings: "{}".to_owned(),
            object: Object::Service(object),
            old,
            operation,
            origin: Origin::Admission,
        };
        let mut findings = Findings::default();
        (rule.check)(&review, world, &mut findings);
        !findings.brief().is_empty()
    }
}
