//! Which connectors are tested, and who of the recipients belongs to which.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Options;
use crate::cli::Failure;
use crate::model::{Address, Agreements, Domain, Inbound, Outbound, Pattern};
use crate::snapshot::Snapshot;
use crate::validate::options::{Recipient, Test};
use crate::validate::report::ConnectorReport;
use crate::validate::{registered, settings, words};

/// Domains of a head line before the rest is counted.
const SHOWN: usize = 3;

/// The connectors that are tested, in the order of the configuration.
pub(super) struct Selection<'c> {
    /// Those for which partners are asked.
    pub(super) outbound: Vec<Test<'c>>,
    /// Those whose files are judged; each has some.
    inbound: Vec<&'c Inbound>,
    /// What they share.
    snapshot: &'c Snapshot,
}

impl<'c> Selection<'c> {
    /// Takes what the command line names.
    pub(super) fn of(
        options: &Options,
        agreements: &'c Agreements,
        snapshot: &'c Snapshot,
    ) -> Result<Self, Failure> {
        let chosen = |name: &str| options.all || options.names.iter().any(|chosen| chosen == name);
        let inbound: Vec<&Inbound> =
            agreements.inbound.iter().filter(|connector| chosen(connector.name.as_str())).collect();
        let outbound: Vec<&Outbound> =
            agreements.outbound.iter().filter(|connector| chosen(connector.name.as_str())).collect();
        let known = || {
            let outbound = agreements.outbound.iter().map(|connector| connector.name.as_str());
            outbound.chain(agreements.inbound.iter().map(|connector| connector.name.as_str()))
        };
        for name in &options.names {
            if !known().any(|known| known == name) {
                return Err(Failure::unknown_connector(name, known()));
            }
        }
        if let Some(none) = inbound.iter().find(|connector| !options.all && !has_files(connector)) {
            return Err(Failure::Argument(format!(
                "inbound connector {} registers no certificate files: there is nothing to validate",
                none.name
            )));
        }
        let recipients = Recipients::of(options, &outbound)?;
        let selection = Selection {
            outbound: outbound
                .iter()
                .map(|&connector| Ok(Test { connector, recipients: recipients.of_connector(connector)? }))
                .collect::<Result<_, Failure>>()?,
            inbound: inbound.into_iter().filter(|connector| has_files(connector)).collect(),
            snapshot,
        };
        Ok(selection)
    }

    /// Whether there is nothing to test, which with `--all` may be so.
    pub(super) fn is_empty(&self) -> bool {
        self.outbound.is_empty() && self.inbound.is_empty()
    }

    /// What comes of the files of inbound connectors.
    pub(super) fn judge_files(&self, now: Timestamp) -> Vec<ConnectorReport> {
        self.inbound.iter().filter_map(|connector| registered::judge(connector, now)).collect()
    }

    /// The digest of the settings of a connector that was tested.
    pub(super) fn settings(&self, name: &str) -> Option<String> {
        let outbound = self.outbound.iter().find(|test| test.connector.name.as_str() == name);
        let inbound = || self.inbound.iter().find(|connector| connector.name.as_str() == name);
        outbound
            .map(|test| settings::of_outbound(test.connector, Some(self.snapshot)))
            .or_else(|| inbound().map(|connector| settings::of_inbound(connector)))
    }

    /// The partners' domains in few words.
    pub(super) fn domains(&self) -> words::Domains<'c> {
        let outbound = self
            .outbound
            .iter()
            .map(|test| (test.connector.name.as_str(), few(test.connector.domains.iter())));
        let inbound = self
            .inbound
            .iter()
            .map(|inbound| (inbound.name.as_str(), few(inbound.identify.domains.iter().map(Pattern::names))));
        outbound.chain(inbound).collect::<BTreeMap<_, _>>()
    }
}

fn few<'p>(mut domains: impl Iterator<Item = Pattern<&'p str>>) -> String {
    let shown: Vec<String> = domains.by_ref().take(SHOWN).map(|pattern| pattern.to_string()).collect();
    let more = match domains.count() {
        0 => String::new(),
        rest => format!(" +{rest}"),
    };
    format!("{}{more}", shown.join(", "))
}

fn has_files(connector: &Inbound) -> bool {
    connector.require.certificate.as_ref().is_some_and(|wanted| !wanted.registered.is_empty())
}

/// Who gets a test mail.
struct Recipients {
    named: Vec<Address>,
    own: bool,
}

impl Recipients {
    /// A recipient that belongs to none of the connectors is refused: its mail would go to
    /// somebody else's server.
    fn of(options: &Options, outbound: &[&Outbound]) -> Result<Self, Failure> {
        let mut named = Vec::new();
        for recipient in &options.recipients {
            let address =
                address(recipient).map_err(|problem| Failure::Argument(format!("--recipient {problem}")))?;
            if !outbound.iter().any(|connector| covers(connector, address.domain())) {
                return Err(Failure::Argument(format!(
                    "--recipient {address}: its domain is in none of the connectors that are tested"
                )));
            }
            named.push(address);
        }
        let own = options.test_mail;
        if own && outbound.iter().all(|connector| connector.validate_recipients.is_empty()) {
            return Err(Failure::Argument(
                "--test-mail: none of the connectors that are tested has validate.recipients; use --recipient"
                    .to_owned(),
            ));
        }
        Ok(Recipients { named, own })
    }

    fn of_connector(&self, connector: &Outbound) -> Result<Vec<Recipient>, Failure> {
        let named = self.named.iter().filter(|address| covers(connector, address.domain()));
        let mut all: Vec<Recipient> = named.map(Recipient::from).collect();
        for recipient in connector.validate_recipients.iter().filter(|_| self.own) {
            let address = address(recipient).map_err(|problem| {
                Failure::Argument(format!("validate.recipients of {}: {problem}", connector.name))
            })?;
            all.push(Recipient::from(&address));
        }
        let mut seen = BTreeSet::new();
        all.retain(|recipient| seen.insert(recipient.address.clone()));
        Ok(all)
    }
}

fn covers(connector: &Outbound, domain: &Domain) -> bool {
    let name = domain.as_str();
    connector.domains.covers(name) && !connector.except.covers_name(name)
}

/// Reads an address from the command line or the configuration.
pub(super) fn address(text: &str) -> Result<Address, String> {
    let refused = || format!("{text:?} is no mail address; write one such as postmaster@contoso.com");
    Address::parse(text).ok_or_else(refused)
}

impl From<&Address> for Recipient {
    fn from(address: &Address) -> Recipient {
        Recipient { address: address.to_string(), domain: address.domain().clone() }
    }
}

/// A name for EHLO: RFC 5321 section 4.1.1.1 without address literals.
pub(super) fn host(text: &str) -> Result<Domain, String> {
    let refused = || format!("{text:?} is no host name; write one such as mail.ours.example");
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if !text.chars().all(plain) {
        return Err(refused());
    }
    Domain::parse(text).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_cannot_end_its_command() {
        for (name, good) in
            [("mail.ours.example", true), ("a b", false), ("a\r\nMAIL", false), ("", false), ("x..y", false)]
        {
            assert_eq!(host(name).is_ok(), good, "{name:?}");
        }
    }
}
