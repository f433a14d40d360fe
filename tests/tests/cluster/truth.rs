//! What rules say of the API server, its controllers and DNS, seen there: the
//! `truth.yaml` of each rule's cases.

mod stage;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::thread;

use headlint_tests::cases::Case;
use headlint_tests::cluster::Cluster;
use headlint_tests::dns::Server;
use headlint_tests::parity;
use headlint_tests::truth::{self, Fact, Pair, Truth};

use self::stage::Stage;
use crate::Test::{self, Apart};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("the_real_thing_shows_what_rules_say", Apart(the_real_thing_shows_what_rules_say))];

/// Cases on stage at once.
const STAGES: usize = 4;

fn the_real_thing_shows_what_rules_say(cluster: &Cluster) {
    cluster.make_node();
    let server = Mutex::new(Server::start(cluster, "cluster.local", 5));
    let wanted = std::env::var("HEADLINT_TRUTH").ok();
    let declared = truth::declared().into_iter();
    let declared = declared.filter(|(rule, _)| wanted.as_ref().is_none_or(|it| it == rule));
    let all = Mutex::new(declared.collect::<VecDeque<_>>());
    let told = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..STAGES {
            scope.spawn(|| {
                // A block, or the lock would be held while a rule is looked at.
                while let Some((rule, truth)) = { all.lock().unwrap().pop_front() } {
                    let seen = match truth {
                        Truth::Unseen(reason) => Ok(format!("unseen: {}", reason.unseen)),
                        Truth::OnNode(_) => Ok("seen on a node".to_owned()),
                        Truth::Seen(pair) => {
                            see(cluster, &server, &rule, &pair).map(|()| "seen".to_owned())
                        }
                    };
                    told.lock().unwrap().push((rule, seen));
                }
            });
        }
    });
    let mut told = told.into_inner().unwrap();
    told.sort();
    let mut wrong = String::new();
    for (rule, seen) in &told {
        match seen {
            Ok(seen) => println!("{rule:<40} {seen}"),
            Err(reason) => writeln!(wrong, "{rule}: {reason}").unwrap(),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(!told.is_empty(), "no such rule");
}

/// Whether each of the two cases shows what it should. Where the quiet one is to
/// show nothing of its own, it must not show what the other does.
fn see(
    cluster: &Cluster,
    server: &Mutex<Server>,
    rule: &str,
    pair: &Pair<Fact>,
) -> Result<(), String> {
    for scene in [&pair.fires, &pair.quiet] {
        let case = truth::case(rule, &scene.case);
        let case = case.ok_or_else(|| format!("it has no case {}", scene.case))?;
        if case.fires != (scene == &pair.fires) {
            return Err(format!("{} is the other kind of case", scene.case));
        }
        let mut stage = Stage::play(cluster, server.lock().unwrap().client(), &case, scene);
        let mut own = scene.corefile.then(|| Server::configured(cluster, &corefile(&case)));
        if let Some(own) = &mut own {
            stage.ask_of(own.client());
        }
        let at = |reason| format!("{}: {reason}", scene.case);
        stage.check_admission(scene).map_err(at)?;
        scene.shows.iter().try_for_each(|fact| stage.check(fact)).map_err(at)?;
        let is_absent = |fact| stage.sees(fact).is_err();
        if scene.shows.is_empty() && !pair.fires.shows.iter().any(is_absent) {
            return Err(format!("{} shows what {} does", scene.case, pair.fires.case));
        }
    }
    Ok(())
}

/// The Corefile of a case.
pub(crate) fn corefile(case: &Case) -> String {
    let objects = parity::objects(&case.text);
    let map = objects.iter().find(|object| object["kind"] == "ConfigMap").unwrap();
    map["data"]["Corefile"].as_str().unwrap().to_owned()
}
