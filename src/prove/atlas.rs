//! Names and addresses of a proof: every name has an address, and every address is a mail server.
//!
//! Addresses are of 198.18.0.0/15, which is for tests (RFC 2544 appendix C.2.2). A name that nobody foresaw, such as a
//! relay that a setting names, gets one as it is asked for: whoever goes round a connector is to arrive.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;

use super::subject::{Shown, Subject, exchange, nobody, nobody_with_tlsa};

/// Names that have addresses; what is asked for behind them does not exist.
const MAX_NAMES: u32 = 100_000;

/// Where the addresses begin: those before are of the cable.
const FIRST: u32 = u32::from_be_bytes([198, 18, 1, 1]);

/// The names, their addresses, and what is shown there.
#[derive(Debug, Default)]
pub struct Atlas {
    places: Mutex<Places>,
    /// By name, or by address as text.
    shown: HashMap<String, Shown>,
}

#[derive(Debug, Default)]
struct Places {
    by_name: HashMap<String, Ipv4Addr>,
    names: Vec<String>,
}

impl Atlas {
    /// Of the hosts of these connectors; a host of several shows the names for all of them.
    pub fn of(subjects: &[Subject]) -> Atlas {
        let mut shown: HashMap<String, Shown> = HashMap::new();
        for host in subjects.iter().flat_map(|subject| &subject.hosts) {
            shown.entry(host.host.to_string()).or_default().merge(&host.shown);
        }
        Atlas { places: Mutex::default(), shown }
    }

    /// The address of a name, in small letters and without a dot at its end.
    pub fn address(&self, name: &str) -> Option<Ipv4Addr> {
        // Nobody panics while it is locked.
        let mut places = self.places.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(address) = places.by_name.get(name) {
            return Some(*address);
        }
        let number = u32::try_from(places.names.len()).ok().filter(|number| *number < MAX_NAMES)?;
        let address = Ipv4Addr::from(FIRST + number);
        places.names.push(name.to_owned());
        places.by_name.insert(name.to_owned(), address);
        Some(address)
    }

    /// The host at an address: its name if it has one.
    pub fn host(&self, address: IpAddr) -> String {
        let IpAddr::V4(v4) = address.to_canonical() else { return address.to_string() };
        let places = self.places.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let number = u32::from(v4).checked_sub(FIRST).and_then(|number| usize::try_from(number).ok());
        number.and_then(|number| places.names.get(number)).cloned().unwrap_or_else(|| v4.to_string())
    }

    /// What is shown at a host; at one that nobody's connector names, its own name, and a stranger's.
    pub fn shown(&self, host: &str) -> Shown {
        self.shown.get(host).cloned().unwrap_or_else(|| Shown {
            right: [host.to_owned()].into(),
            own: [host.to_owned()].into(),
            strange: [nobody()].into(),
            has_own_authority: false,
            has_tlsa: false,
        })
    }

    /// The host that forged MX records of a domain lead to. Where the true one has TLSA records, it has some too; and none
    /// elsewhere, since an MTA that obeys them without being told to (Exim: `hosts_try_dane`) would stay away because of them.
    pub fn forged(&self, domain: &str) -> String {
        if self.has_tlsa(&exchange(domain)) { nobody_with_tlsa() } else { nobody() }
    }

    /// Whether a host has TLSA records.
    pub fn has_tlsa(&self, host: &str) -> bool {
        match self.shown.get(host) {
            Some(shown) => shown.has_tlsa,
            None => host == nobody_with_tlsa(),
        }
    }

    /// Whether it is a host of one of the connectors.
    pub fn is_partners(&self, host: &str) -> bool {
        self.shown.contains_key(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_address_and_an_address_its_name() {
        let atlas = Atlas::default();
        let (one, two) = (atlas.address("a.example"), atlas.address("b.example"));
        assert!(one.is_some() && two.is_some() && one != two);
        assert_eq!(atlas.address("a.example"), one);
        let host = |address: Option<Ipv4Addr>| address.map(|address| atlas.host(IpAddr::V4(address)));
        assert_eq!(host(one).as_deref(), Some("a.example"));
        assert_eq!(host(two).as_deref(), Some("b.example"));
        assert_eq!(atlas.host(IpAddr::V4(Ipv4Addr::LOCALHOST)), "127.0.0.1");
    }
}
