//! What is known of us, and what a kit lacks when it is not.

use ipnet::IpNet;
use sha2::{Digest as _, Sha256};

use super::names;
use super::page::{Page, shown};
use super::powershell::{self, Command};
use crate::model::{Inbound, Organisation, Pattern};

/// Characters of the name of a router or transport (Exim: EXIM_DRIVERNAME_MAX, with the NUL at the end).
const EXIM_NAME: usize = 63;

/// Our side of an agreement.
#[derive(Clone, Copy)]
pub(super) struct Ours<'o> {
    organisation: &'o Organisation,
    /// The connector's name, which the two of us speak of it by.
    connector: &'o str,
}

impl<'o> Ours<'o> {
    /// As `[organisation]` has it.
    pub fn new(organisation: &'o Organisation, connector: &'o str) -> Self {
        Ours { organisation, connector }
    }

    /// What we are called: our name, else our first domain.
    fn known_as(&self) -> Option<String> {
        let domain = || Some(self.organisation.domains.first()?.domain()?.to_string());
        self.organisation.name.as_ref().map(|name| shown(name)).or_else(domain)
    }

    /// The same where it may be lacking. The connector's name is no substitute: it is often the partner's.
    pub fn name(&self, page: &mut Page) -> String {
        self.known_as().unwrap_or_else(|| {
            page.lacks("our name: `name` in [organisation]");
            "<our name>".to_owned()
        })
    }

    /// A name in Exchange for what belongs to this connector there.
    pub fn object(&self, page: &mut Page, what: &str) -> String {
        powershell::name(what, &self.name(page), self.connector)
    }

    /// A cmdlet that makes an object of that name; while ours is lacking, there is none to make.
    pub fn make(&self, cmdlet: &'static str, object: &str) -> Command {
        let command = Command::new(cmdlet);
        match self.known_as() {
            Some(_) => command.text("Name", object),
            None => command.missing("Name", "a name with ours in it"),
        }
    }

    /// The connector's name as one for a router of Exim: letters, digits and underscores, [`EXIM_NAME`] at most. Where it
    /// says less than the connector's name, a digest makes it one of its own.
    pub fn identifier(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        let name: String = "tls_".chars().chain(self.connector.chars().map(plain)).collect();
        let is_own = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.len() <= EXIM_NAME && self.connector.chars().all(is_own) {
            return name;
        }
        let digest = Sha256::digest(self.connector);
        let digest: String = digest.iter().take(4).map(|octet| format!("{octet:02x}")).collect();
        let name: String = name.chars().take(EXIM_NAME - 1 - digest.len()).collect();
        format!("{name}_{digest}")
    }

    /// Whom to ask.
    pub fn contact(&self, page: &mut Page) -> String {
        match &self.organisation.contact {
            Some(contact) => shown(contact),
            None => {
                page.lacks("whom the partner asks: `contact` in [organisation]");
                "<our contact>".to_owned()
            }
        }
    }

    /// The domains of our senders.
    pub fn senders(&self, page: &mut Page) -> Option<&'o [Pattern]> {
        let domains = &self.organisation.domains;
        if domains.is_empty() {
            page.lacks("our domains: `domains` in [organisation]");
            return None;
        }
        Some(domains)
    }

    /// The domains that a partner's mail to us goes to: those of the connector, else all of ours.
    pub fn recipients(&self, page: &mut Page, connector: Option<&'o Inbound>) -> Option<Vec<&'o Pattern>> {
        let scope = connector.and_then(|connector| connector.recipients.as_ref());
        // A rule of theirs for `*` would be one for mail to everybody.
        match scope.filter(|scope| scope.iter().all(|pattern| *pattern != Pattern::Any)) {
            Some(recipients) => Some(recipients.iter().collect()),
            None => self.senders(page).map(|domains| domains.iter().collect()),
        }
    }

    /// The names that our certificates show, if they are known.
    pub fn certificate_names(&self) -> &'o [Pattern] {
        &self.organisation.certificate_names
    }

    /// The same where nothing goes without them.
    pub fn certificates(&self, page: &mut Page) -> Option<&'o [Pattern]> {
        let names = self.certificate_names();
        if names.is_empty() {
            page.lacks("the names of our certificates: `certificate_names` in [organisation]");
            return None;
        }
        Some(names)
    }

    /// The one name that Exchange can compare our certificates with.
    pub fn certificate(&self, page: &mut Page) -> Result<String, String> {
        let Some(all) = self.certificates(page) else {
            return Err("the name that our certificates show".to_owned());
        };
        let one = names::one(all);
        names::say_widened(page, one.as_ref().map(Pattern::names));
        one.map(|name| names::exchange(&name.names())).ok_or_else(|| {
            let shown = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            page.lacks(format!(
                "one name for our certificates: Exchange compares with one, and `certificate_names` has {}",
                all.len()
            ));
            format!("one name that each of our certificates shows; they are {shown}")
        })
    }

    /// The addresses that our mail comes from.
    pub fn addresses(&self) -> &'o [IpNet] {
        &self.organisation.addresses
    }

    /// The same where nothing goes without them.
    pub fn needed_addresses(&self, page: &mut Page) -> Option<&'o [IpNet]> {
        if self.addresses().is_empty() {
            page.lacks("the addresses of our servers: `addresses` in [organisation]");
            return None;
        }
        Some(self.addresses())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connector_has_its_own_router() {
        let organisation = Organisation::default();
        let identifier = |connector: &str| Ours::new(&organisation, connector).identifier();
        assert_eq!(identifier("bank-in"), "tls_bank_in");
        let long = ["a", "b"].map(|end| format!("{}{end}", "x".repeat(63)));
        let names =
            ["bank-in", "bank_in", "Bank-in", "bank in", "bank.in", &long[0], &long[1]].map(identifier);
        for (number, name) in names.iter().enumerate() {
            assert!(name.len() <= EXIM_NAME, "{name}");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
            assert!(!names.iter().skip(number + 1).any(|other| other == name), "{names:?}");
        }
    }
}
