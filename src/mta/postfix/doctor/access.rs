//! Access tables (access(5)) that are asked before the daemon, and the connectors whose mail they can let pass.
//!
//! Of an entry it is looked at whom it is about: a client that is exempt passes anyway, and a sender in nobody's domain is
//! nobody's mail. Of an expression that is not known.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::Patient;
use super::asked::{Asked, LISTS, Verdict, asked_in, in_full};
use super::inbound::{doors, is_at_another_port};
use crate::model::{Inbound, Mode, Pattern, domain};
use crate::mta::postfix::postmap::can_be_listed;
use crate::mta::postfix::restrictions::{Outcome, Restriction, Subject, access_table};
use crate::mta::postfix::settings::Service;
use crate::protocol::escape::printable;

/// Enough of a value to know it again.
const WORDS: usize = 100;

/// Entries of one table that permit and are looked at.
const PERMITTING: usize = 20_000;

/// Different answers of the tables in one list that are lists of restrictions, and judged as such.
const ANSWERS: usize = 1000;

/// For all tables together: one that is not begun by then is not read.
const PATIENCE: Duration = Duration::from_secs(30);

/// The tables before the daemon in all lists that it is asked in, each read once.
pub(super) struct AccessTables<'p>(BTreeMap<&'p str, Content>);

enum Content {
    /// Keys with what is answered, in an order that is the same tomorrow.
    Entries(Vec<(String, String)>),
    /// What is answered, and nobody knows for whom.
    Answers(Vec<String>),
    /// Why nothing is known of it.
    Closed(String),
}

/// What the tables in a list let pass.
#[derive(Default)]
pub(super) struct Passing {
    /// Connectors, as numbers of the list, with mail that is let pass, and by what.
    pub(super) connectors: BTreeMap<usize, String>,
    /// Which table could let mail pass, and why that is not known.
    pub(super) unseen: Option<String>,
}

impl Passing {
    /// Whether all that comes by is judged.
    pub(super) fn is_nothing(&self) -> bool {
        self.connectors.is_empty() && self.unseen.is_none()
    }

    /// How much it is: what is known to pass is worse than what is not known.
    pub(super) fn weight(&self) -> (usize, bool) {
        (self.connectors.len(), self.unseen.is_some())
    }
}

impl<'p> AccessTables<'p> {
    pub(super) fn read(patient: &Patient<'p>) -> AccessTables<'p> {
        let mut read = BTreeMap::new();
        let deadline = Instant::now() + PATIENCE;
        for (service, list) in doors(patient).flat_map(|service| LISTS.map(|list| (service, list))) {
            let before = match asked_in(patient, service, list) {
                Asked::First(_, before) => before,
                // Somebody else than the daemon may turn strangers away there.
                Asked::InVain | Asked::Late(_) | Asked::Never
                    if is_at_another_port(patient.settings, service) =>
                {
                    in_full(patient, service, list)
                }
                Asked::InVain | Asked::Late(_) | Asked::Never => continue,
            };
            for (_, table) in before.iter().filter_map(|restriction| access_table(restriction, list)) {
                read.entry(table).or_insert_with(|| match Instant::now() < deadline {
                    true => content(patient, table),
                    false => Content::Closed("other tables took too long".to_owned()),
                });
            }
        }
        AccessTables(read)
    }

    /// What those among these restrictions of a list let pass.
    pub(super) fn passing(
        &self,
        patient: &Patient<'_>,
        service: &Service,
        list: &str,
        before: &[Restriction<'_>],
    ) -> Passing {
        let mut passing = Passing::default();
        let mut judged: HashMap<&str, Verdict> = HashMap::new();
        let mut verdict = |answer| match judged.get(answer) {
            _ if Outcome::of(answer) != Outcome::Restrictions => patient.verdict(service, list, answer),
            Some(verdict) => *verdict,
            None if judged.len() >= ANSWERS => Verdict::Unknown,
            None => *judged.entry(answer).or_insert_with(|| patient.verdict(service, list, answer)),
        };
        for (subject, table) in before.iter().filter_map(|restriction| access_table(restriction, list)) {
            let shown = || printable(table, WORDS);
            match self.0.get(table) {
                Some(Content::Entries(entries)) => {
                    let [mut permitting, mut unknown] = [Vec::new(), Vec::new()];
                    for (key, answer) in entries {
                        match verdict(answer.as_str()) {
                            Verdict::Passes => permitting.push(key),
                            Verdict::Unknown => unknown.push(key),
                            Verdict::Judged => {}
                        }
                    }
                    if permitting.len() > PERMITTING || unknown.len() > PERMITTING {
                        let many = || format!("{} has more than {PERMITTING} entries that permit", shown());
                        passing.unseen.get_or_insert_with(many);
                    }
                    let [permitting, unknown] = [permitting, unknown]
                        .map(|keys| Reach::of(patient, subject, keys.into_iter().take(PERMITTING)));
                    let inbound = patient.agreements.inbound.iter().enumerate();
                    for (number, connector) in inbound.filter(|(_, connector)| connector.mode != Mode::Off) {
                        if let Some(key) = permitting.touches(subject, connector) {
                            let by = || format!("{} permits {}", shown(), printable(key, WORDS));
                            passing.connectors.entry(number).or_insert_with(by);
                        } else if let Some(key) = unknown.touches(subject, connector) {
                            let class = || {
                                format!(
                                    "{}: what it says of {} asks another table",
                                    shown(),
                                    printable(key, WORDS)
                                )
                            };
                            passing.unseen.get_or_insert_with(class);
                        }
                    }
                }
                // What is written in a file is not for everybody who reads a report.
                Some(Content::Answers(answers))
                    if answers.iter().any(|answer| {
                        is_filled_in(answer) || verdict(answer.as_str()) != Verdict::Judged
                    }) =>
                {
                    passing.unseen.get_or_insert_with(|| format!("{} permits some", shown()));
                }
                Some(Content::Closed(reason)) => {
                    let closed = || format!("{}: {}", shown(), printable(reason, WORDS));
                    passing.unseen.get_or_insert_with(closed);
                }
                Some(Content::Answers(_)) | None => {}
            }
        }
        passing
    }
}

/// Whether what is answered is not written: a part of what the expression fits stands in its place.
fn is_filled_in(answer: &str) -> bool {
    answer.contains('$') && Outcome::of(answer) == Outcome::Restrictions
}

fn content(patient: &Patient<'_>, table: &str) -> Content {
    let bare = table.strip_prefix("proxy:").unwrap_or(table);
    if can_be_listed(bare) {
        return patient.tables.list(bare).map_or_else(Content::Closed, |entries| {
            let mut entries: Vec<_> = entries.into_iter().collect();
            entries.sort();
            Content::Entries(entries)
        });
    }
    if let Some(answer) = bare.strip_prefix("static:") {
        let answer = answer.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(answer);
        return Content::Entries(vec![("*".to_owned(), answer.trim().to_owned())]);
    }
    match patient.tables.lines(bare) {
        None => Content::Closed("its entries cannot be listed".to_owned()),
        Some(Err(reason)) => Content::Closed(reason),
        Some(Ok(lines)) if bare.starts_with("cidr:") => {
            Content::Entries(lines.into_iter().map(|line| (line.pattern, line.answer)).collect())
        }
        Some(Ok(lines)) => Content::Answers(lines.into_iter().map(|line| line.answer).collect()),
    }
}

/// Whom the entries of a table that permit are about.
#[derive(Default)]
struct Reach<'t> {
    /// The first that is about more than can be said by a name or a network.
    anybody: Option<&'t str>,
    /// Networks that are not exempt.
    networks: Vec<(IpNet, &'t str)>,
    /// Names, and what is below them.
    names: HashMap<String, &'t str>,
    /// One of these.
    any_name: Option<&'t str>,
    /// Every name that one of these lies below.
    above: HashMap<String, &'t str>,
}

impl<'t> Reach<'t> {
    fn of(patient: &Patient<'_>, subject: Subject, keys: impl Iterator<Item = &'t String>) -> Reach<'t> {
        let mut reach = Reach::default();
        for key in keys {
            match subject {
                Subject::Anything => _ = reach.anybody.get_or_insert(key),
                Subject::Client if key.eq_ignore_ascii_case("localhost") && patient.is_exempt(key) => {}
                Subject::Client => match network(key) {
                    Some(network) if patient.exempts(network) => {}
                    Some(network) => reach.networks.push((network, key)),
                    None => _ = reach.anybody.get_or_insert(key),
                },
                Subject::Sender | Subject::Recipient => reach.name(key),
            }
        }
        reach.any_name = reach.names.values().min().copied();
        reach
    }

    /// `user@domain`, `domain`, `.domain`; `user@` and `<>` are about anybody.
    fn name(&mut self, key: &'t str) {
        let domain = key.rsplit_once('@').map_or(key, |(_, domain)| domain);
        let name = domain::normalise(domain.strip_prefix('.').unwrap_or(domain));
        let Some(name) = name.ok().filter(|name| name.contains('.')) else {
            self.anybody.get_or_insert(key);
            return;
        };
        for parent in domain::parents(&name) {
            self.above.entry(parent.to_owned()).or_insert(key);
        }
        self.names.entry(name.into_owned()).or_insert(key);
    }

    /// An entry that lets mail of a connector pass, if there is one.
    fn touches(&self, subject: Subject, connector: &Inbound) -> Option<&'t str> {
        let identify = &connector.identify;
        let found = match subject {
            Subject::Anything => None,
            // Who is there can say that it is anybody.
            Subject::Client => self
                .networks
                .iter()
                .find(|(network, _)| {
                    let meets = |own: &IpNet| own.contains(network) || network.contains(own);
                    let is_excepted = || identify.except_addresses.iter().any(|own| own.contains(network));
                    (!identify.domains.is_empty() || identify.addresses.iter().any(meets)) && !is_excepted()
                })
                .map(|(_, key)| *key),
            Subject::Sender if !identify.addresses.is_empty() => self.any_name,
            Subject::Sender => self.among(identify.domains.iter()),
            Subject::Recipient => match &connector.recipients {
                None => self.any_name,
                Some(recipients) => self.among(recipients.iter()),
            },
        };
        self.anybody.or(found)
    }

    fn among<'c>(&self, mut patterns: impl Iterator<Item = &'c Pattern>) -> Option<&'t str> {
        patterns.find_map(|pattern| {
            let Some(name) = pattern.domain() else { return self.any_name };
            let name = name.as_str();
            let mut covering = std::iter::once(name).chain(domain::parents(name));
            let is_wide = !matches!(pattern, Pattern::Exact(_));
            let below = || self.above.get(name).filter(|_| is_wide);
            covering.find_map(|name| self.names.get(name)).or_else(below).copied()
        })
    }
}

/// The network that a key of a table for clients is about: of a cidr_table(5), or the beginning of an address
/// (smtpd_check.c:check_addr_access).
fn network(key: &str) -> Option<IpNet> {
    if let Some(network) = key.parse().ok().or_else(|| Some(IpNet::from(key.parse::<IpAddr>().ok()?))) {
        return Some(network);
    }
    let (separator, width, whole) = if key.contains(':') { (':', 16_usize, 8_usize) } else { ('.', 8, 4) };
    let parts = key.split(separator).count();
    let rest = whole.checked_sub(parts)?;
    let address: IpAddr = format!("{key}{}", format!("{separator}0").repeat(rest)).parse().ok()?;
    IpNet::new(address, u8::try_from(parts.checked_mul(width)?).ok()?).ok()
}
