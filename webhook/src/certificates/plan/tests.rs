//! States, and what is done in each.

use std::time::Duration;

use super::*;

const NAME: &str = "headlint.headlint.svc";
const DAY: i64 = 24 * 60 * 60;
const MINUTE: i64 = 60;

/// Seconds since everything began.
fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    start.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap()
}

fn lifetimes() -> Lifetimes {
    Lifetimes::default()
}

fn signer(made: i64) -> Signer {
    issue::authority(at(made), lifetimes().authority).unwrap()
}

fn pair(signer: &Signer, made: i64) -> Pair {
    named(signer, made, &[NAME])
}

fn named(signer: &Signer, made: i64, names: &[&str]) -> Pair {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    issue::serving(signer, names, at(made), lifetimes().serving).unwrap()
}

fn secret(trusted: &[&Signer], signer: &Signer, serving: &Pair) -> Secret {
    let trusted = trusted.iter().map(|signer| signer.authority.clone()).collect();
    let (signer, serving) = (Some(signer.clone()), Some(serving.clone()));
    Secret::Ours(Material { trusted, signer, serving }.write())
}

fn without(secret: &Secret, key: &str) -> Secret {
    let Secret::Ours(data) = secret else { panic!("{secret:?}") };
    let mut data = data.clone();
    data.remove(key).unwrap();
    Secret::Ours(data)
}

fn carrying(signers: &[&Signer]) -> Option<Vec<(String, Vec<u8>)>> {
    let authorities: Vec<_> = signers.iter().map(|signer| signer.authority.clone()).collect();
    Some(vec![("a".to_owned(), bundle(&authorities)), ("b".to_owned(), bundle(&authorities))])
}

fn seen(secret: Secret, bundles: Option<Vec<(String, Vec<u8>)>>, since: i64) -> Seen {
    Seen { secret, bundles, since: at(since) }
}

/// What is done at a time, in a word or two.
fn done(seen: &Seen, served: Option<&Pair>, now: i64) -> String {
    match next(seen, served, &[NAME.to_owned()], &lifetimes(), at(now)) {
        Step::Serve(_) => "serve".to_owned(),
        Step::Store(change) => format!("store {:?}", change.reason),
        Step::Trust(bundle) => format!("trust {}", authorities(&bundle, at(now)).len()),
        Step::Wait(until) => format!("wait {}", until.as_second() - at(0).as_second()),
        Step::Refuse(keys) => format!("refuse {keys}"),
    }
}

#[test]
fn a_first_start_stores_serves_trusts_and_waits() {
    let a = signer(0);
    let leaf = pair(&a, 0);
    let stored = || secret(&[&a], &a, &leaf);
    let empty = || carrying(&[]);
    let due = 60 * DAY;
    for (what, secret, bundles, served, expected) in [
        ("no Secret", Secret::Absent, empty(), None, "store AuthorityMissing".to_owned()),
        ("empty", Secret::Ours(Data::new()), empty(), None, "store AuthorityMissing".to_owned()),
        ("stored", stored(), empty(), None, "serve".to_owned()),
        ("served", stored(), empty(), Some(&leaf), "trust 1".to_owned()),
        ("no configuration", stored(), None, Some(&leaf), format!("wait {due}")),
        ("trusted", stored(), carrying(&[&a]), Some(&leaf), format!("wait {due}")),
    ] {
        // Seen for an hour, so that nothing waits to settle.
        assert_eq!(done(&seen(secret, bundles, -3600), served, 1), expected, "{what}");
    }
}

#[test]
fn a_secret_of_somebody_else_is_refused() {
    let seen = seen(Secret::Foreign("password".to_owned()), carrying(&[]), 0);
    assert_eq!(done(&seen, None, 0), "refuse password");
}

#[test]
fn what_is_missing_in_the_secret_is_made_without_touching_what_is_served() {
    let a = signer(0);
    let leaf = pair(&a, 0);
    let whole = secret(&[&a], &a, &leaf);
    for (key, reason) in [
        ("ca.crt", Reason::AuthorityMissing),
        ("ca.key", Reason::AuthorityMissing),
        ("tls.crt", Reason::ServingMissing),
        ("tls.key", Reason::ServingMissing),
    ] {
        let seen = seen(without(&whole, key), carrying(&[&a]), 0);
        let step = next(&seen, Some(&leaf), &[NAME.to_owned()], &lifetimes(), at(1));
        let Step::Store(change) = step else { panic!("{key}: {step:?}") };
        assert_eq!(change.reason, reason, "{key}");
        let material = change.carry_out(&lifetimes(), at(1)).unwrap();
        assert_eq!(material.serving.as_ref(), Some(&leaf), "{key}");
        assert!(material.trusted.contains(&a.authority), "{key}");
        assert_eq!(Material::read(&material.write(), at(1)), material, "{key}");
    }
}

#[test]
fn a_deleted_secret_comes_back_with_a_new_authority_beside_the_one_in_use() {
    let a = signer(0);
    let leaf = pair(&a, 0);
    let seen = seen(Secret::Absent, carrying(&[&a]), 0);
    let step = next(&seen, Some(&leaf), &[NAME.to_owned()], &lifetimes(), at(1));
    let Step::Store(change) = step else { panic!("{step:?}") };
    let material = change.carry_out(&lifetimes(), at(1)).unwrap();
    assert_eq!(material.trusted.len(), 2);
    assert_eq!(material.serving, Some(leaf));
    assert_ne!(material.signer.unwrap().authority, a.authority);
}

#[test]
fn a_certificate_is_renewed_after_two_thirds_of_its_time() {
    let a = signer(0);
    let leaf = pair(&a, 0);
    let renewed = pair(&a, 60 * DAY);
    let old = seen(secret(&[&a], &a, &leaf), carrying(&[&a]), 0);
    assert_eq!(done(&old, Some(&leaf), 60 * DAY - 1), format!("wait {}", 60 * DAY));
    assert_eq!(done(&old, Some(&leaf), 60 * DAY), "store ServingDue");
    // The authority is the same, so nothing has to settle.
    let new = seen(secret(&[&a], &a, &renewed), carrying(&[&a]), 60 * DAY);
    assert_eq!(done(&new, Some(&leaf), 60 * DAY), "serve");
}

#[test]
fn a_certificate_that_lacks_a_name_is_replaced_and_keeps_the_others() {
    let a = signer(0);
    let leaf = named(&a, 0, &["old.headlint.svc"]);
    let seen = seen(secret(&[&a], &a, &leaf), carrying(&[&a]), 0);
    let step = next(&seen, Some(&leaf), &[NAME.to_owned()], &lifetimes(), at(1));
    let Step::Store(change) = step else { panic!("{step:?}") };
    assert_eq!(change.reason, Reason::NameMissing);
    let material = change.carry_out(&lifetimes(), at(1)).unwrap();
    assert_eq!(material.serving.unwrap().names, ["old.headlint.svc", NAME]);
}

/// The whole change of an authority, seen by one replica.
#[test]
fn an_authority_is_replaced_step_by_step() {
    let a = signer(0);
    // Two thirds of 365 days, in whole seconds.
    let due = 365 * DAY / 3 * 2;
    let b = signer(due);
    let old = pair(&a, 200 * DAY);
    let before = secret(&[&a], &a, &old);
    let both = secret(&[&a, &b], &b, &old);
    let settled = due + 10 * MINUTE;
    let new = pair(&b, settled);
    let switched = secret(&[&a, &b], &b, &new);
    // Certificates of a were signed before b was there, and clocks differ.
    let gone = due + 90 * DAY + 60 * MINUTE;
    for (what, secret, bundles, since, served, now, expected) in [
        ("not yet", &before, carrying(&[&a]), 0, &old, due - 1, format!("wait {due}")),
        ("due", &before, carrying(&[&a]), 0, &old, due, "store AuthorityDue".to_owned()),
        ("both stored", &both, carrying(&[&a]), due, &old, due, "trust 2".to_owned()),
        ("both trusted", &both, carrying(&[&a, &b]), due, &old, due, format!("wait {settled}")),
        (
            "settled",
            &both,
            carrying(&[&a, &b]),
            due,
            &old,
            settled,
            "store ServingOfOldAuthority".to_owned(),
        ),
        ("settled, untrusted", &both, carrying(&[&a]), due, &old, settled, "trust 2".to_owned()),
        (
            "another one switched",
            &switched,
            carrying(&[&a]),
            settled,
            &old,
            settled,
            "trust 2".to_owned(),
        ),
        ("switched", &switched, carrying(&[&a, &b]), due, &old, settled, "serve".to_owned()),
        (
            "old one stays",
            &switched,
            carrying(&[&a, &b]),
            due,
            &new,
            settled,
            format!("wait {}", settled + 60 * DAY),
        ),
    ] {
        assert_eq!(
            done(&seen(secret.clone(), bundles, since), Some(served), now),
            expected,
            "{what}"
        );
    }
    let renewed = pair(&b, settled + 60 * DAY);
    let later = secret(&[&a, &b], &b, &renewed);
    let later = seen(later, carrying(&[&a, &b]), due);
    assert_eq!(done(&later, Some(&renewed), gone - 1), format!("wait {gone}"));
    assert_eq!(done(&later, Some(&renewed), gone), "store Superseded");
    let only = |since| seen(secret(&[&b], &b, &renewed), carrying(&[&a, &b]), since);
    assert_eq!(done(&only(gone), Some(&renewed), gone), format!("wait {}", gone + 10 * MINUTE));
    assert_eq!(done(&only(gone), Some(&renewed), gone + 10 * MINUTE), "trust 1");
}

#[test]
fn a_ca_bundle_that_somebody_resets_is_repaired_at_once() {
    let a = signer(0);
    let leaf = pair(&a, 0);
    let of_another = signer(1);
    let one_of_two = Some(vec![
        ("a".to_owned(), bundle(&[a.authority.clone()])),
        ("b".to_owned(), b"Cg==".to_vec()),
    ]);
    for (what, bundles, expected) in [
        ("empty", carrying(&[]), "trust 1"),
        ("one of two", one_of_two, "trust 1"),
        // Others may still serve certificates of that one.
        ("another's", carrying(&[&of_another]), "trust 2"),
    ] {
        let seen = seen(secret(&[&a], &a, &leaf), bundles, 0);
        assert_eq!(done(&seen, Some(&leaf), 1), expected, "{what}");
    }
}

#[test]
fn the_authority_of_what_is_served_comes_back_into_the_secret() {
    let (a, b) = (signer(0), signer(0));
    let (ours, theirs) = (pair(&a, 0), pair(&b, 0));
    let seen = seen(secret(&[&b], &b, &theirs), carrying(&[&a]), 0);
    assert_eq!(done(&seen, Some(&ours), 1), "store StillServed");
}

#[test]
fn what_is_expired_is_replaced_without_waiting() {
    let a = signer(0);
    let leaf = pair(&a, 0);
    let late = 91 * DAY;
    let seen = seen(secret(&[&a], &a, &leaf), carrying(&[&a]), late);
    assert_eq!(done(&seen, Some(&leaf), late), "store ServingMissing");
    let too_late = 366 * DAY;
    assert_eq!(done(&seen, Some(&leaf), too_late), "store AuthorityMissing");
}
