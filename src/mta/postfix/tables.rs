//! The answers as static Postfix tables, for those who do not want a daemon in the way of mail.
//!
//! A table promises what the daemon answers, for every key that a table can hold: the names and
//! suffixes of the enforcing connectors, each exception with the wider answer that applies to it,
//! and the smart hosts with the ports they are written with. `x` is a name and `.x` what is below
//! it, in smtp_tls_policy_maps (smtp_tls_policy.c walks up to `.parent`) and in transport(5)
//! alike, so between two keys nothing changes.
//!
//! What a table cannot say (`*`, other ports, a mixture of U-labels and A-labels) stands in its
//! header, because a key that is missing means main.cf's level. Two things have to be said in
//! other words: "no connector" below a suffix is main.cf's level in the one table and `:` in the
//! other (transport(5): no change).
//!
//! Reporting connectors are not in a table: it records nothing.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use crate::answer::{self, Reply};
use crate::model::host::NextHop;
use crate::model::pattern::Entry;
use crate::model::{Host, Mode, domain};
use crate::snapshot::{Connector, OutboundSide, Snapshot};

/// Not a level: Postfix defers mail for which it reads this (smtp_tls_policy.c, "invalid security
/// level"). It stands where there is no answer, which no valid name meets.
const UNDECIDED: &str = "undecided";

/// No change of transport or next-hop (transport(5)).
const NO_CHANGE: &str = ":";

/// A table, ready to be written.
#[derive(Debug)]
pub struct Table<'s> {
    /// What the reader of the file has to know, a line each.
    pub header: Vec<String>,
    /// Keys with their values; each key once.
    pub rows: Vec<Row<'s>>,
}

/// A key and its value.
#[derive(Debug, PartialEq, Eq)]
pub struct Row<'s> {
    /// What Postfix looks up, in lower case as texthash keys are compared.
    pub key: Cow<'s, str>,
    /// What it finds.
    pub value: &'s str,
}

impl fmt::Display for Table<'_> {
    /// As postmap(1) and `texthash:` read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.header {
            if line.is_empty() { f.write_str("#\n")? } else { writeln!(f, "# {line}")? }
        }
        for Row { key, value } in &self.rows {
            writeln!(f, "{key} {value}")?;
        }
        Ok(())
    }
}

/// A place where the answer may change, ordered by name: `x` before `.x`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'s> {
    name: &'s str,
    below: bool,
}

impl<'s> Place<'s> {
    fn of(entry: Entry<'s>) -> Option<Place<'s>> {
        match entry {
            Entry::Name(name) => Some(Place { name, below: false }),
            Entry::Suffix(name) => Some(Place { name, below: true }),
            // Postfix asks nothing that would stand for everything (`*` in transport(5) would
            // send our own users' mail out).
            Entry::Any => None,
        }
    }

    fn entry(self) -> Entry<'s> {
        if self.below { Entry::Suffix(self.name) } else { Entry::Name(self.name) }
    }
}

/// The table for `smtp_tls_policy_maps`.
pub fn tls(snapshot: &Snapshot) -> Table<'_> {
    let side = snapshot.enforced();
    let mut places = places(snapshot);
    let hops = smart_hosts(snapshot);
    for hop in hops.iter().filter(|hop| hop.is_bare()) {
        if let Host::Name(name) = hop.host() {
            places.insert(Place { name: name.as_str(), below: false });
        }
    }
    let at = |place: Place<'_>| match place.entry() {
        Entry::Name(name) => tls_value(snapshot, name),
        entry @ (Entry::Suffix(_) | Entry::Any) => {
            deciding(snapshot, side, entry).map(|(connector, _)| snapshot.policy(connector.number))
        }
    };
    let mut rows = rows(&places, at, snapshot.mta().level.word());
    let mut keys: Vec<String> =
        hops.iter().filter(|hop| !hop.is_bare()).flat_map(|hop| host_keys(hop)).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        if let Some(value) = tls_value(snapshot, &key) {
            rows.push(Row { key: Cow::Owned(key), value });
        }
    }
    Table { header: tls_header(snapshot), rows }
}

/// The table for `transport_maps`.
pub fn transport(snapshot: &Snapshot) -> Table<'_> {
    let side = snapshot.enforced();
    let own = &snapshot.mta().own_domains;
    let mut places = places(snapshot);
    places.extend(own.entries().filter_map(Place::of));
    let at = |place: Place<'_>| {
        let entry = place.entry();
        if own.covers(entry) {
            return None;
        }
        let (connector, by) = deciding(snapshot, side, entry)?;
        // The pattern `*` never decides about a route.
        (by != Entry::Any).then_some(connector.transport.as_str())
    };
    let rows = rows(&places, at, NO_CHANGE);
    Table { header: transport_header(snapshot), rows }
}

/// Where enforcing connectors begin and end to apply.
fn places(snapshot: &Snapshot) -> BTreeSet<Place<'_>> {
    let listed = snapshot.enforced().index().entries().map(|hit| hit.entry);
    let excepted = enforcing(snapshot).flat_map(|connector| connector.agreement.except.entries());
    listed.chain(excepted).filter_map(Place::of).collect()
}

fn enforcing(snapshot: &Snapshot) -> impl Iterator<Item = &Connector> {
    snapshot.outbound().iter().filter(|connector| connector.agreement.mode == Mode::Enforce)
}

/// A row for every place that has an answer, and `without` for those that have none though a
/// wider key would be found for them.
fn rows<'s>(
    places: &BTreeSet<Place<'s>>,
    at: impl Fn(Place<'s>) -> Option<&'s str>,
    without: &'static str,
) -> Vec<Row<'s>> {
    let caught = |place: &Place<'s>| {
        let mut wider = domain::parents(place.name).map(|name| Place { name, below: true });
        wider.any(|place| places.contains(&place) && at(place).is_some())
    };
    let mut rows = Vec::with_capacity(places.len());
    for &place in places {
        let value = match at(place) {
            Some(value) => value,
            None if caught(&place) => without,
            None => continue,
        };
        rows.extend(
            spellings(place.name).map(|name| Row {
                key: if place.below { Cow::Owned(format!(".{name}")) } else { name },
                value,
            }),
        );
    }
    rows
}

/// What the daemon answers to this key; none for NOTFOUND.
fn tls_value<'s>(snapshot: &'s Snapshot, key: &str) -> Option<&'s str> {
    match answer::tls(snapshot, key.as_bytes()).reply {
        Reply::Ok(value) => Some(value),
        Reply::NotFound => None,
        Reply::Perm(_) | Reply::Temp(_) => Some(UNDECIDED),
    }
}

/// The connector that applies to all that an entry stands for, less the narrower places, and by
/// which entry of its own.
fn deciding<'s>(
    snapshot: &'s Snapshot,
    side: &'s OutboundSide,
    entry: Entry<'_>,
) -> Option<(&'s Connector, Entry<'s>)> {
    side.index().covering(entry).find_map(|hit| {
        let connector = snapshot.outbound().get(usize::try_from(hit.owner).ok()?)?;
        (!connector.agreement.except.covers(entry)).then_some((connector, hit.entry))
    })
}

/// The name as A-labels and, where it has some, as U-labels: `smtp_tls_policy_maps` and
/// `transport_maps` are asked with the name as the sender typed it.
fn spellings(name: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let unicode =
        name.split('.').any(|label| label.starts_with("xn--")).then(|| idna::domain_to_unicode(name));
    let unicode = unicode.and_then(|(text, valid)| {
        // Postfix folds both characters (casefold.c), and then they are another domain's name.
        (valid.is_ok() && text != name && !text.contains(['\u{df}', '\u{3c2}'])).then_some(Cow::Owned(text))
    });
    std::iter::once(Cow::Borrowed(name)).chain(unicode)
}

fn smart_hosts(snapshot: &Snapshot) -> Vec<&NextHop> {
    enforcing(snapshot).flat_map(|connector| connector.agreement.route.smart_hosts()).collect()
}

/// The smart host as it stands in the transport table, which is what Postfix asks for, and the
/// same host without a port.
fn host_keys(hop: &NextHop) -> [String; 2] {
    [hop.to_string(), format!("[{}]", hop.host())]
}

fn title(snapshot: &Snapshot, map: &str, parameter: &str) -> Vec<String> {
    vec![
        format!("Written by `connectord export postfix --map {map}` from the configuration with the SHA-256"),
        format!("{}.", snapshot.sha256()),
        "It is a copy: write it anew after every change of the configuration.".to_owned(),
        String::new(),
        format!("main.cf: {parameter} = texthash:/etc/postfix/connectord-{map}"),
        "(texthash: is read whole by every process; above some thousand lines use cdb:, lmdb: or hash: and postmap.)"
            .to_owned(),
        String::new(),
    ]
}

fn tls_header(snapshot: &Snapshot) -> Vec<String> {
    let level = snapshot.mta().level;
    let mut header = title(snapshot, "tls", "smtp_tls_policy_maps");
    header.push("What the daemon answers and this table cannot say:".to_owned());
    if let Some(hit) = snapshot.enforced().index().any() {
        let connector = usize::try_from(hit.owner).ok().and_then(|number| snapshot.outbound().get(number));
        if let Some(connector) = connector {
            header.push(format!(
                "- `*` of the connector `{}`: names and addresses without a key here get main.cf's level. Set it to what",
                connector.agreement.name
            ));
            header.push(format!("  the connector demands: {}", snapshot.policy(connector.number)));
        }
    }
    header.extend([
        "- a next-hop with a port, or a host in brackets, gets a policy only as it is written in a `route`; the daemon".to_owned(),
        "  answers for the host on any port, and for every host of a connector's domains.".to_owned(),
        "- a name typed half in U-labels and half in A-labels is found as neither.".to_owned(),
    ]);
    header.push(format!(
        "Exceptions below a suffix have the level `{level}`, by `[mta] level`; Postfix asks no table behind this one for them."
    ));
    let anchors = snapshot.published();
    if !anchors.is_empty() {
        header.push("Without the daemon nobody copies the authorities to where smtp(8) opens them. Below queue_directory:".to_owned());
        header.extend(
            anchors.iter().map(|(to, from)| format!("- copy {} to {}", from.path.display(), to.display())),
        );
    }
    header
}

fn transport_header(snapshot: &Snapshot) -> Vec<String> {
    let mut header = title(snapshot, "transport", "transport_maps");
    header.extend([
        "What the daemon answers and this table cannot say:".to_owned(),
        "- a name typed half in U-labels and half in A-labels is found as neither.".to_owned(),
        "The value `:` changes nothing: Postfix routes as it would without this table, and asks no table behind it.".to_owned(),
    ]);
    header
}
