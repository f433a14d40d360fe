//! Replicas that see the cluster late, in any order, with a store that knows
//! versions: the plan's promise, that a client which trusts the caBundle accepts
//! what any replica serves, holds at every moment.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::material::{Data, Pair, accepts, authorities};
use super::plan::{Secret, Seen, Step, next};
use super::{Lifetimes, after};

const NAME: &str = "headlint.headlint.svc";

const LIFETIMES: Lifetimes = Lifetimes {
    authority: Duration::from_secs(900),
    serving: Duration::from_secs(300),
    settle: Duration::from_secs(10),
};

/// An object with its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Versioned<T> {
    version: u64,
    value: T,
}

impl<T> Versioned<T> {
    /// Writes if the version is the one that was seen.
    fn write(&mut self, seen: u64, value: T) {
        if self.version == seen {
            *self = Self { version: seen + 1, value };
        }
    }
}

type StoredSecret = Versioned<Option<Data>>;
type StoredBundles = Versioned<Vec<(String, Vec<u8>)>>;

#[derive(Clone, Debug)]
struct Replica {
    secret: StoredSecret,
    bundles: StoredBundles,
    since: Timestamp,
    served: Option<Pair>,
}

#[derive(Clone, Debug)]
struct World {
    now: Timestamp,
    secret: StoredSecret,
    bundles: StoredBundles,
    replicas: Vec<Replica>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    SeeSecret(usize),
    SeeBundles(usize),
    Act(usize),
}

fn names() -> Vec<String> {
    vec![NAME.to_owned()]
}

impl World {
    fn new(replicas: usize) -> Self {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let secret = StoredSecret::default();
        let webhooks = ["warn", "deny"].map(|name| (name.to_owned(), Vec::new()));
        let bundles = StoredBundles { version: 0, value: webhooks.to_vec() };
        let (replica_secret, replica_bundles) = (secret.clone(), bundles.clone());
        let replica =
            Replica { secret: replica_secret, bundles: replica_bundles, since: now, served: None };
        Self { now, secret, bundles, replicas: vec![replica; replicas] }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::SeeSecret(i) => {
                let (seen, now) = (self.secret.clone(), self.now);
                let replica = &mut self.replicas[i];
                if replica.secret.value != seen.value {
                    replica.since = now;
                }
                replica.secret = seen;
            }
            Event::SeeBundles(i) => {
                let (seen, now) = (self.bundles.clone(), self.now);
                let replica = &mut self.replicas[i];
                if replica.bundles.value != seen.value {
                    replica.since = now;
                }
                replica.bundles = seen;
            }
            Event::Act(i) => {
                self.act(i);
            }
        }
    }

    /// One step of a replica; false if it only waits.
    fn act(&mut self, i: usize) -> bool {
        let replica = &mut self.replicas[i];
        let secret = match &replica.secret.value {
            Some(data) => Secret::Ours(data.clone()),
            None => Secret::Absent,
        };
        let bundles = Some(replica.bundles.value.clone());
        let seen = Seen { secret, bundles, since: replica.since };
        match next(&seen, replica.served.as_ref(), &names(), &LIFETIMES, self.now) {
            Step::Serve(pair) => replica.served = Some(*pair),
            Step::Store(change) => {
                let material = change.carry_out(&LIFETIMES, self.now).unwrap();
                self.secret.write(replica.secret.version, Some(material.write()));
            }
            Step::Trust(bundle) if self.secret.version == replica.secret.version => {
                let value = replica.bundles.value.iter();
                let value = value.map(|(name, _)| (name.clone(), bundle.clone())).collect();
                self.bundles.write(replica.bundles.version, value);
            }
            // It reads the Secret again.
            Step::Trust(_) => self.apply(Event::SeeSecret(i)),
            Step::Wait(_) => return false,
            Step::Refuse(keys) => panic!("refused {keys}"),
        }
        true
    }

    /// Everybody sees everything and acts, in turn, until all only wait.
    fn calm(&mut self) {
        for _ in 0..50 {
            let mut busy = false;
            for i in 0..self.replicas.len() {
                self.apply(Event::SeeSecret(i));
                self.apply(Event::SeeBundles(i));
                busy |= self.act(i);
            }
            if !busy {
                return;
            }
        }
        panic!("the replicas never come to rest: {self:?}");
    }

    fn pass(&mut self, seconds: u64) {
        self.now = after(self.now, Duration::from_secs(seconds));
    }

    /// Whether a client that trusts any of the caBundles accepts what each
    /// replica serves.
    fn safe(&self) -> bool {
        self.replicas.iter().filter_map(|replica| replica.served.as_ref()).all(|served| {
            self.bundles.value.iter().all(|(_, bundle)| {
                accepts(&authorities(bundle, self.now), &served.der, NAME, self.now)
            })
        })
    }

    fn served(&self, i: usize) -> &Pair {
        self.replicas[i].served.as_ref().unwrap()
    }

    /// All serve the same, and the caBundles are exactly what the Secret names.
    fn agreed(&self) -> bool {
        let data = self.secret.value.as_ref().unwrap();
        self.replicas.iter().all(|replica| replica.served.as_ref() == Some(self.served(0)))
            && self.bundles.value.iter().all(|(_, bundle)| *bundle == data["ca.crt"])
    }
}

/// All orders in which two replicas see and act, to a depth.
fn every_order(world: &World, depth: usize, visit: &mut impl FnMut(&World)) {
    visit(world);
    if depth == 0 {
        return;
    }
    for i in 0..world.replicas.len() {
        for event in [Event::SeeSecret(i), Event::SeeBundles(i), Event::Act(i)] {
            let replica = &world.replicas[i];
            let nothing_new = match event {
                Event::SeeSecret(_) => replica.secret == world.secret,
                Event::SeeBundles(_) => replica.bundles == world.bundles,
                Event::Act(_) => false,
            };
            if nothing_new {
                continue;
            }
            let mut branch = world.clone();
            match event {
                Event::Act(i) if !branch.act(i) => continue,
                Event::Act(_) => {}
                _ => branch.apply(event),
            }
            every_order(&branch, depth - 1, visit);
        }
    }
}

#[test]
fn replicas_that_start_together_agree_on_one_authority() {
    let mut worlds = 0;
    every_order(&World::new(2), 7, &mut |world| {
        worlds += 1;
        let mut end = world.clone();
        end.calm();
        end.pass(LIFETIMES.settle.as_secs());
        end.calm();
        assert!(end.agreed() && end.safe());
        let data = end.secret.value.as_ref().unwrap();
        assert_eq!(authorities(&data["ca.crt"], end.now).len(), 1, "{world:?}");
    });
    assert!(worlds > 100, "{worlds}");
}

/// From an authority that is due, over the time that it takes to settle, to the
/// new one: in every order in which two replicas see and do their part.
#[test]
fn a_change_of_authority_is_safe_in_every_order() {
    let mut world = World::new(2);
    world.calm();
    world.pass(250);
    world.calm();
    world.pass(250);
    world.calm();
    let before = world.served(0).clone();
    // The authority is due after 600 s, the certificate after 700.
    world.pass(110);
    let mut worlds = 0;
    let mut switched = 0;
    every_order(&world, 6, &mut |world| {
        worlds += 1;
        assert!(world.safe(), "while the new authority comes: {world:?}");
        let mut settled = world.clone();
        settled.calm();
        settled.pass(LIFETIMES.settle.as_secs());
        assert_eq!(settled.served(0), &before);
        if worlds % 25 == 1 {
            every_order(&settled, 5, &mut |world| {
                assert!(world.safe(), "while the new certificate comes: {world:?}");
                let mut end = world.clone();
                end.calm();
                for _ in 0..2 {
                    end.pass(LIFETIMES.settle.as_secs());
                    end.calm();
                }
                assert!(end.agreed() && end.safe());
                assert_ne!(end.served(0).authority, before.authority);
                switched += 1;
            });
        }
    });
    assert!(worlds > 50 && switched > 50, "{worlds} {switched}");
}

#[derive(Clone, Debug)]
enum Happening {
    Event(Event),
    /// Seconds; everybody has had time to see the rest before.
    Pass(u64),
    /// A replica is replaced by a new one, which knows nothing.
    Restart(usize),
    /// Somebody deletes the Secret.
    Delete,
    /// Somebody spoils a value of the Secret.
    Spoil(&'static str),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let event = (0..3_usize, 0..3_u8).prop_map(|(i, what)| {
        Happening::Event(match what {
            0 => Event::SeeSecret(i),
            1 => Event::SeeBundles(i),
            _ => Event::Act(i),
        })
    });
    let one = prop_oneof![
        20 => event,
        4 => (1..40_u64).prop_map(Happening::Pass),
        1 => (0..3_usize).prop_map(Happening::Restart),
        1 => Just(Happening::Delete),
        1 => prop::sample::select(vec!["ca.key", "tls.crt", "tls.key"]).prop_map(Happening::Spoil),
    ];
    prop::collection::vec(one, 1..250)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Three replicas live for several authorities, while some are replaced and
    /// somebody deletes or spoils the Secret.
    #[test]
    fn requests_never_fail_whatever_happens_to_the_secret(happenings in happenings()) {
        let mut world = World::new(3);
        world.calm();
        for happening in happenings {
            match happening {
                Happening::Event(event) => world.apply(event),
                Happening::Pass(seconds) => {
                    world.calm();
                    world.pass(seconds);
                }
                Happening::Restart(i) => {
                    world.replicas[i].served = None;
                    world.replicas[i].since = world.now;
                }
                Happening::Delete => {
                    world.calm();
                    let version = world.secret.version;
                    world.secret.write(version, None);
                }
                Happening::Spoil(key) => {
                    world.calm();
                    let mut data = world.secret.value.clone().unwrap();
                    data.insert(key.to_owned(), b"junk".to_vec());
                    let version = world.secret.version;
                    world.secret.write(version, Some(data));
                }
            }
            // A replica that has just started may serve before it's trusted: it
            // isn't ready, and nobody asks it.
            prop_assert!(world.ready_are_safe(), "{:?}", world);
        }
        world.calm();
        for _ in 0..3 {
            world.pass(LIFETIMES.settle.as_secs());
            world.calm();
        }
        prop_assert!(world.agreed() && world.safe());
    }
}

impl World {
    fn ready_are_safe(&self) -> bool {
        let mut ready = self.clone();
        ready.replicas.retain(|replica| {
            let bundles = Some(replica.bundles.value.clone());
            let seen = Seen { secret: Secret::Absent, bundles, since: replica.since };
            let served = replica.served.as_ref();
            served.is_some_and(|pair| seen.carries(&pair.authority, self.now))
        });
        ready.safe()
    }
}
