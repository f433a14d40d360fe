//! Names of Pods that an object uses.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use headlint_policy_sdk::service::{has, placeholder, selectorless, workloads};
use headlint_policy_sdk::types::{ObjectRef, Reference, ReferenceVia, Service, Traits, Workload};
use headlint_policy_sdk::{Answer, Context, Review, Severity, UnknownReason};

/// The name of a Pod behind a Service with a selector, as it is used somewhere.
pub(crate) struct Dialled {
    pub(crate) reference: Reference,
    /// The label in front of the Service's name.
    pub(crate) pod: String,
    /// Several names may be behind one Service.
    pub(crate) behind: Rc<Behind>,
}

/// The names of Pods that an object uses, the first of each place.
#[derive(Default)]
pub(crate) struct Names {
    /// Behind Services that are there.
    pub(crate) dialled: Vec<Dialled>,
    /// Behind Services that the input doesn't have, with the label in front of the
    /// Service's name.
    pub(crate) nowhere: Vec<(Reference, String)>,
}

/// A Service with a selector, and the workloads behind it, each looked up once.
pub(crate) struct Behind {
    pub(crate) service: Service,
    named: OnceCell<Vec<Workload>>,
    selected: OnceCell<Option<Vec<Workload>>>,
}

impl Behind {
    fn new(service: Service) -> Self {
        Self { service, named: OnceCell::new(), selected: OnceCell::new() }
    }

    /// The workloads whose Pods take their names from it.
    pub(crate) fn named(&self, context: &Context) -> &[Workload] {
        let ObjectRef { namespace, name, .. } = &self.service.meta.ref_;
        self.named.get_or_init(|| context.workloads_naming(namespace, name).seen())
    }

    /// As [`workloads`] finds them.
    pub(crate) fn selected(&self, context: &Context) -> Option<&[Workload]> {
        self.selected.get_or_init(|| workloads(&self.service, context)).as_deref()
    }
}

/// What a name of a Service leads to.
enum Known {
    Behind(Rc<Behind>),
    Nowhere,
    /// Names behind it are nobody's business here.
    Other,
}

/// All of them in the object under review.
pub(crate) fn names(review: &Review, context: &Context) -> Names {
    let holder = review.meta();
    if has(holder, Traits::DELETING) {
        return Names::default();
    }
    let settled = Traits::OPERATOR_MANAGED | Traits::ENDPOINTS_MANAGED_ELSEWHERE | Traits::DELETING;
    let mut names = Names::default();
    let mut known: BTreeMap<(String, String), Known> = BTreeMap::new();
    for reference in context.references() {
        let Some(pod) = reference.pod.clone() else { continue };
        // The address of a Pod, with dashes, is a name as well.
        let address = pod.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
            && pod.bytes().filter(|byte| *byte == b'-').count() >= 2;
        if reference.via != ReferenceVia::Dial || address || placeholder(&pod) {
            continue;
        }
        let key = (reference.namespace.clone(), reference.service.clone());
        let known = known.entry(key).or_insert_with_key(|(namespace, name)| {
            match context.service(namespace, name) {
                Answer::Found(service)
                    if !selectorless(&service)
                        && service.service_type != "ExternalName"
                        && !has(&service.meta, settled) =>
                {
                    Known::Behind(Rc::new(Behind::new(service)))
                }
                Answer::Absent | Answer::Unknown(UnknownReason::Elsewhere) => Known::Nowhere,
                _ => Known::Other,
            }
        });
        match known {
            Known::Behind(behind) => {
                names.dialled.push(Dialled { reference, pod, behind: Rc::clone(behind) });
            }
            Known::Nowhere => names.nowhere.push((reference, pod)),
            Known::Other => {}
        }
    }
    names
}

/// One step less where only a test on demand uses a name.
pub(crate) fn weighed(reference: &Reference, severity: Severity) -> Severity {
    if has(&reference.holder, Traits::TEST_HOOK) { severity.weaker() } else { severity }
}

impl Dialled {
    /// Whether something gives a Pod this very name: by a host name in its
    /// template, or by the index of a Job.
    pub(crate) fn is_given(&self, context: &Context) -> bool {
        let named = self.behind.named(context);
        named.iter().filter(|workload| workload.stateful_set.is_none()).any(|workload| {
            let template = &workload.template;
            let index = self.pod.strip_prefix(workload.meta.ref_.name.as_str());
            template.hostname.as_ref().is_some_and(|name| *name == self.pod || placeholder(name))
                || (workload.indexed && index.is_some_and(|rest| rest.starts_with('-')))
        })
    }
}
