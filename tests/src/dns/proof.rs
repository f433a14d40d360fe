//! Predicted and asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use headlint_policies::dns::Bundle;
use headlint_policies::model::ClusterProfile;

use super::client::Reply;
use super::parcel::{Origin, Parcel};
use super::pods::{Pod, Pods};
use super::questions::{CLUSTER_IP, Expected, Question, expected, questions};
use super::server::Server;
use crate::cluster::Cluster;

/// What was compared, and what differed.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Names with a record, by where their manifests come from.
    pub names: BTreeMap<Origin, usize>,
    /// Names without any.
    pub near_misses: BTreeMap<Origin, usize>,
    /// Questions, three for each name.
    pub questions: usize,
    /// Answers whose bytes were compared.
    pub sizes: usize,
    /// Questions whose answer headlint says it isn't sure of.
    pub uncertain: usize,
    /// Pods that had an address.
    pub pods: usize,
    /// What the API server refused, and headlint didn't say so.
    pub refused: Vec<String>,
    /// Questions whose answers differ, with both.
    pub differences: Vec<String>,
}

/// No change for that long: whatever differs now will differ for good.
const SETTLED: Duration = Duration::from_secs(20);

/// Applies all parcels to a cluster that has nothing else, lets their Pods be
/// Ready, and asks CoreDNS for every name until all answers are as predicted, or
/// nothing changes any more.
///
/// # Panics
/// When a server fails, or the API server accepts what headlint says is refused.
pub fn prove(cluster: &Cluster, dual_stack: bool, mut parcels: Vec<Parcel>) -> Proof {
    let profile =
        ClusterProfile { dual_stack: Some(dual_stack), dns_ttl: 17, ..ClusterProfile::default() };
    let mut server = Server::start(cluster, &profile.zone, profile.dns_ttl);
    let mut pods = Pods::new(cluster, dual_stack);
    let mut proof = Proof::default();
    for parcel in &mut parcels {
        proof.refused.extend(parcel.apply(cluster, &profile));
    }
    let bundles: Vec<_> = parcels.iter().map(|parcel| (parcel, parcel.bundle(&profile))).collect();
    let mut client = server.client();
    let mut since = Instant::now();
    let mut asked = None;
    loop {
        let before = std::mem::take(&mut pods.seen);
        if pods.settle(cluster) || pods.seen != before {
            since = Instant::now();
            asked = None;
            continue;
        }
        let asked = asked.get_or_insert_with(|| predictions(&bundles, &pods.seen, &mut proof));
        let differences = asked.iter().filter_map(|(parcel, question, expected)| {
            let reply = client.ask(&question.0, question.1);
            let difference = difference(question, expected, &reply, profile.dns_ttl)?;
            Some(format!("{}: {difference}", parcel.name))
        });
        proof.differences = differences.collect();
        if proof.differences.is_empty() || since.elapsed() > SETTLED {
            proof.pods = pods.seen.len();
            return proof;
        }
        sleep(Duration::from_millis(200));
    }
}

/// A question, what has to be answered, and whose it is.
type Prediction<'p> = (&'p Parcel, Question, Expected);

/// All that headlint is sure of.
fn predictions<'p>(
    bundles: &[(&'p Parcel, Bundle)],
    pods: &[Pod],
    proof: &mut Proof,
) -> Vec<Prediction<'p>> {
    let mut predictions = Vec::new();
    let refused = std::mem::take(&mut proof.refused);
    *proof = Proof { refused, ..Proof::default() };
    for (parcel, bundle) in bundles {
        let mut names: BTreeMap<String, bool> = BTreeMap::new();
        for question in questions(bundle, pods) {
            let Some(expected) = expected(&question, bundle, pods) else {
                proof.uncertain += 1;
                continue;
            };
            proof.sizes += usize::from(expected.bytes.is_some());
            *names.entry(question.0.clone()).or_default() |= !expected.records.is_empty();
            predictions.push((*parcel, question, expected));
        }
        let there = names.values().filter(|there| **there).count();
        *proof.names.entry(parcel.origin).or_default() += there;
        *proof.near_misses.entry(parcel.origin).or_default() += names.len() - there;
    }
    proof.questions = predictions.len();
    predictions
}

fn difference(
    (name, record_type): &Question,
    expected: &Expected,
    reply: &Reply,
    ttl: u32,
) -> Option<String> {
    let mut records = reply.records.clone();
    if expected.records.contains(CLUSTER_IP) {
        let addresses: BTreeSet<_> =
            records.iter().filter(|it| it.parse::<std::net::IpAddr>().is_ok()).cloned().collect();
        if addresses.len() == 1 {
            records.retain(|it| !addresses.contains(it));
            records.insert(CLUSTER_IP.to_owned());
        }
    }
    let ttls: BTreeSet<_> = if expected.records.is_empty() { [].into() } else { [ttl].into() };
    let size = match expected.bytes {
        Some((bytes, true)) => bytes == reply.bytes && expected.cut == reply.cut,
        Some((bytes, false)) => reply.bytes <= bytes,
        None => true,
    };
    let is_equal =
        expected.code == reply.code && expected.records == records && ttls == reply.ttls && size;
    (!is_equal)
        .then(|| format!("{name} {record_type:?}\n  predicted {expected:?}\n  answered {reply:?}"))
}

impl Proof {
    /// All names.
    #[must_use]
    pub fn total(&self) -> usize {
        self.names.values().chain(self.near_misses.values()).sum()
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |map: &BTreeMap<Origin, usize>, origin| map.get(&origin).copied().unwrap_or(0);
        for origin in [Origin::Ours, Origin::Chart] {
            let (names, misses) = (of(&self.names, origin), of(&self.near_misses, origin));
            writeln!(f, "{origin:?}: {names} names with records, {misses} near misses")?;
        }
        let Self { questions, sizes, uncertain, pods, .. } = self;
        writeln!(
            f,
            "{questions} questions ({sizes} with sizes), {uncertain} uncertain, {pods} Pods"
        )?;
        for refused in &self.refused {
            writeln!(f, "refused: {refused}")?;
        }
        writeln!(f, "{} differences", self.differences.len())?;
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        Ok(())
    }
}
