//! Answers to the maps `tls` and `transport`.
//!
//! `tls` is asked by smtp(8) before every delivery, with the next-hop as its key; `transport` is
//! asked by trivial-rewrite(8) for every address, ours included, and for `*`. See design notes in
//! the manual, and smtp_tls_policy.c and transport.c of Postfix for who asks what.

use super::{Applied, By, Lookup, Refusal, Reply, Reported};
use crate::model::Mode;
use crate::model::domain;
use crate::model::host::{Key, KeyHost};
use crate::model::pattern::Entry;
use crate::snapshot::index::Hit;
use crate::snapshot::{Connector, HostAnswer, OutboundSide, Snapshot};

/// Answers a socketmap request: a map name and, behind one space, a key.
pub fn socketmap<'s>(snapshot: &'s Snapshot, map: &[u8], key: Option<&[u8]>) -> Lookup<'s> {
    match (map, key) {
        (b"tls", Some(key)) => tls(snapshot, key),
        (b"transport", Some(key)) => transport(snapshot, key),
        // An empty key is not "no policy", and neither is a misspelt map.
        (b"tls" | b"transport" | b"", _) => Lookup::of(Reply::Perm(Refusal::Empty)),
        _ => Lookup::of(Reply::Perm(Refusal::UnknownMap)),
    }
}

/// Sends for what the answer to a request will be made of, so that it is there when it is asked for.
pub fn foresee(snapshot: &Snapshot, map: &[u8], key: Option<&[u8]>) {
    if let (b"tls", Some(Ok(key))) = (map, key.map(std::str::from_utf8)) {
        // Nearly every key is a name in normal form. Of others it is for nothing.
        snapshot.enforced().index().prefetch(key);
    }
}

/// Answers the map `tls`: what TLS the next-hop `key` is owed.
pub fn tls<'s>(snapshot: &'s Snapshot, key: &[u8]) -> Lookup<'s> {
    if key.is_empty() {
        return Lookup::of(Reply::Perm(Refusal::Empty));
    }
    let Ok(key) = std::str::from_utf8(key) else {
        return Lookup::of(Reply::Perm(Refusal::NotUtf8));
    };
    // Postfix asks for parents only after NOTFOUND for the full name, which has decided already.
    if let Some(parent) = key.strip_prefix('.') {
        return Lookup::of(match domain::normalise(parent) {
            Ok(_) => Reply::NotFound,
            Err(error) => Reply::Perm(Refusal::Key(error.into())),
        });
    }
    match Key::parse(key) {
        Ok(key) => tls_for(snapshot, &key),
        Err(error) => Lookup::of(Reply::Perm(Refusal::Key(error))),
    }
}

fn tls_for<'s>(snapshot: &'s Snapshot, key: &Key<'_>) -> Lookup<'s> {
    let (all, enforced) = (snapshot.outbound(), snapshot.enforced());
    let mut lookup = Lookup::of(Reply::NotFound);
    let own = domain_hit(enforced, all, &key.host);
    if let Some(answer) = host_answer(enforced, key) {
        lookup.reply = Reply::Ok(&answer.policy);
        lookup.applies.extend(users(all, answer, own));
    } else if let Some((hit, connector)) = own {
        lookup.reply = Reply::Ok(snapshot.policy(hit.owner));
        lookup.applies.push(Applied { connector, by: By::Domain(hit) });
    }
    if snapshot.has_reports() {
        lookup.report = tls_reports(snapshot, key);
    }
    lookup
}

/// The reporting connectors: those that send through the host, and the one that its domain belongs to.
fn tls_reports<'s>(snapshot: &'s Snapshot, key: &Key<'_>) -> Vec<Reported<'s>> {
    let (all, reported) = (snapshot.outbound(), snapshot.reported());
    let would = |applied: Applied<'s>| Reported {
        would_reply: Reply::Ok(snapshot.policy(applied.number())),
        applied,
    };
    let mut report = Vec::new();
    if let Some(answer) = host_answer(reported, key) {
        report.extend(users(all, answer, None).map(would));
    }
    if let Some((hit, connector)) = domain_hit(reported, all, &key.host) {
        let listed = report.iter().any(|other| std::ptr::eq(other.applied.connector, connector));
        if !listed {
            report.push(would(Applied { connector, by: By::Domain(hit) }));
        }
    }
    report
}

pub(super) fn host_answer<'s>(side: &'s OutboundSide, key: &Key<'_>) -> Option<&'s HostAnswer> {
    match &key.host {
        KeyHost::Address(address) => side.hosts().find_address(*address),
        KeyHost::Name(name) => side.hosts().find_name(name, key.bare),
    }
}

/// The connectors of a joined answer; the one that the host's own name belongs to is among them
/// unless the others override it.
pub(super) fn users<'s>(
    all: &'s [Connector],
    answer: &'s HostAnswer,
    own: Option<(Hit<'s>, &'s Connector)>,
) -> impl Iterator<Item = Applied<'s>> {
    answer.connectors.iter().filter_map(move |&number| {
        let connector = all.get(usize::try_from(number).ok()?)?;
        let by = match own {
            Some((hit, _)) if hit.owner == number => By::Domain(hit),
            _ => By::Route,
        };
        Some(Applied { connector, by })
    })
}

/// The connector whose domains match a host; an address matches `*` alone.
pub(super) fn domain_hit<'s>(
    side: &'s OutboundSide,
    all: &'s [Connector],
    host: &KeyHost<'_>,
) -> Option<(Hit<'s>, &'s Connector)> {
    let hit = match host {
        KeyHost::Name(name) => side.find(all, name)?,
        KeyHost::Address(_) => side.index().any()?,
    };
    Some((hit, all.get(usize::try_from(hit.owner).ok()?)?))
}

/// Answers the map `transport`: the way of mail to the address `key`.
///
/// What is not an address of a connector's domain is `NOTFOUND`, whatever it looks like: Postfix
/// asks for every address, and anything else would stop mail that is none of our business.
pub fn transport<'s>(snapshot: &'s Snapshot, key: &[u8]) -> Lookup<'s> {
    let name = std::str::from_utf8(key)
        .ok()
        .and_then(|key| key.rsplit_once('@'))
        .and_then(|(_, domain)| domain::normalise(domain).ok());
    let Some(name) = name else {
        return Lookup::of(Reply::NotFound);
    };
    let mut lookup = Lookup::of(Reply::NotFound);
    if snapshot.mta().own_domains.covers_name(&name) {
        return lookup;
    }
    let all = snapshot.outbound();
    let find = |side: &'s OutboundSide| {
        let hit = side.find(all, &name).filter(|hit| hit.entry != Entry::Any)?;
        Some(Applied { connector: all.get(usize::try_from(hit.owner).ok()?)?, by: By::Domain(hit) })
    };
    if let Some(applied) = find(snapshot.enforced()) {
        debug_assert_eq!(applied.connector.agreement.mode, Mode::Enforce);
        lookup.reply = Reply::Ok(&applied.connector.transport);
        lookup.applies.push(applied);
    }
    if snapshot.has_reports()
        && let Some(applied) = find(snapshot.reported())
    {
        lookup.report.push(Reported { would_reply: Reply::Ok(&applied.connector.transport), applied });
    }
    lookup
}
