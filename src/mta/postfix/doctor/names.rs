//! For which names it is looked what Postfix does: those of the connectors, and those that tables have entries for.

use std::collections::BTreeSet;

use super::Patient;
use crate::model::Mode;
use crate::model::domain;
use crate::model::pattern::Entry;
use crate::snapshot::OutboundSide;

/// How many names are looked at for one setting; of tables that are asked, what they say to these.
const NAMES: usize = 20_000;

/// The label, or the mailbox, of which nobody has an entry but one for everything below, or for all mailboxes.
const SAMPLE: &str = "connectord-doctor";

/// A name that mail is sent to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// The domain, as a table has it.
    pub(super) domain: String,
    /// The part of the address before it.
    pub(super) mailbox: String,
}

/// Names, and whether there would be more.
pub(super) struct Names {
    pub(super) names: BTreeSet<Name>,
    pub(super) is_cut: bool,
}

/// Which connectors of a side a name may belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those that name its domain.
    Named,
    /// Those for `*` too.
    Anybody,
}

impl Name {
    fn of(domain: String) -> Name {
        Name { domain, mailbox: SAMPLE.to_owned() }
    }

    /// A name that an entry stands for.
    fn sample(entry: Entry<'_>) -> Option<Name> {
        match entry {
            Entry::Name(name) => Some(Name::of(name.to_owned())),
            Entry::Suffix(name) => Some(Name::of(format!("{SAMPLE}.{name}"))),
            Entry::Any => None,
        }
    }

    /// A name that is found by this key of a table: a domain, what is below a domain, or an address.
    fn by(key: &str) -> Option<Name> {
        let (mailbox, domain) = key.rsplit_once('@').unwrap_or(("", key));
        let domain = match domain.strip_prefix('.') {
            Some(parent) => format!("{SAMPLE}.{parent}"),
            None => domain.to_owned(),
        };
        let mailbox = if mailbox.is_empty() { SAMPLE } else { mailbox };
        domain::normalise(&domain).is_ok().then(|| Name { domain, mailbox: mailbox.to_owned() })
    }

    /// The whole address.
    pub(super) fn address(&self) -> String {
        format!("{}@{}", self.mailbox, self.domain)
    }
}

impl Patient<'_> {
    /// The connectors that a domain belongs to, as numbers of the list: the enforcing one, and the one that reports.
    pub(super) fn owners(&self, domain: &str, whose: Whose) -> Vec<usize> {
        let Ok(name) = domain::normalise(domain) else { return Vec::new() };
        let all = self.snapshot.outbound();
        let sides: [&OutboundSide; 2] = [self.snapshot.enforced(), self.snapshot.reported()];
        let hits = sides.into_iter().filter_map(|side| side.find(all, &name));
        let named = hits.filter(|hit| whose == Whose::Anybody || hit.entry != Entry::Any);
        named.filter_map(|hit| usize::try_from(hit.owner).ok()).collect()
    }

    /// The names of the connectors, and those among these keys that belong to one.
    pub(super) fn names<'k>(&self, keys: impl Iterator<Item = &'k str>, whose: Whose) -> Names {
        let mut names = BTreeSet::new();
        let by_key = keys.filter_map(Name::by);
        let by_key = by_key.filter(|name| !self.owners(&name.domain, whose).is_empty());
        let outbound = || self.agreements.outbound.iter().filter(|connector| connector.mode != Mode::Off);
        // Nobody's million leaves nothing for the others, and the connectors' names leave as much for those of tables.
        let share = (NAMES / 2).checked_div(outbound().count()).unwrap_or_default().max(1);
        let shares = outbound().flat_map(|connector| connector.domains.entries().take(share));
        let rest = outbound().flat_map(|connector| connector.domains.entries().skip(share));
        for name in shares.filter_map(Name::sample).chain(by_key).chain(rest.filter_map(Name::sample)) {
            if names.len() == NAMES {
                return Names { names, is_cut: true };
            }
            names.insert(name);
        }
        Names { names, is_cut: false }
    }
}
