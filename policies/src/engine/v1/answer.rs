//! Answers of the inventory, as the contract has them.

use wasmtime::Result;

use super::convert;
use super::meter::Meter;
use crate::engine::bindings::context;
use crate::inventory::{Answer, UnknownReason};
use crate::model;

fn reason(reason: UnknownReason) -> context::UnknownReason {
    match reason {
        UnknownReason::Unwatched => context::UnknownReason::Unwatched,
        UnknownReason::Produced => context::UnknownReason::Produced,
        UnknownReason::Unreadable => context::UnknownReason::Unreadable,
        UnknownReason::Elsewhere => context::UnknownReason::Elsewhere,
    }
}

/// One function for each answer type, which differ only in what they hold.
macro_rules! answers {
    ($($name:ident: [$model:ty] -> $wire:ident by $convert:path;)+) => {$(
        pub(super) fn $name(
            meter: &mut Meter,
            answer: Answer<Vec<&$model>>,
        ) -> Result<context::$wire> {
            meter.call()?;
            Ok(match answer {
                Answer::Found(found) => {
                    context::$wire::Found(meter.list(&found, |meter, one| $convert(meter, one))?)
                }
                Answer::Absent => context::$wire::Absent,
                Answer::Unknown(why) => context::$wire::Unknown(reason(why)),
            })
        }
    )+};
}

answers! {
    services: [model::Service] -> ServicesAnswer by convert::service;
    workloads: [model::Workload] -> WorkloadsAnswer by convert::workload;
    endpoints: [model::Endpoints] -> EndpointsAnswer by convert::endpoints;
    network_policies: [model::NetworkPolicy] -> NetworkPoliciesAnswer by convert::network_policy;
    objects: [model::Object] -> ObjectsAnswer by convert::object;
}

pub(super) fn references(
    meter: &mut Meter,
    answer: Answer<Vec<model::Reference>>,
) -> Result<context::ReferencesAnswer> {
    meter.call()?;
    Ok(match answer {
        Answer::Found(found) => {
            context::ReferencesAnswer::Found(meter.list(&found, convert::reference)?)
        }
        Answer::Absent => context::ReferencesAnswer::Absent,
        Answer::Unknown(why) => context::ReferencesAnswer::Unknown(reason(why)),
    })
}

pub(super) fn service(
    meter: &mut Meter,
    answer: Answer<&model::Service>,
) -> Result<context::ServiceAnswer> {
    meter.call()?;
    Ok(match answer {
        Answer::Found(found) => context::ServiceAnswer::Found(convert::service(meter, found)?),
        Answer::Absent => context::ServiceAnswer::Absent,
        Answer::Unknown(why) => context::ServiceAnswer::Unknown(reason(why)),
    })
}
