//! Partners by the number: their domains, and configurations that name them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const WORDS: [&str; 23] = [
    "north", "south", "bank", "trust", "health", "clinic", "city", "county", "mutual", "credit", "savings",
    "river", "lake", "stone", "oak", "maple", "harbor", "union", "first", "global", "alpha", "delta",
    "metro",
];
const ENDS: [&str; 12] =
    ["com", "net", "org", "example", "de", "fr", "co.uk", "eu", "info", "bank", "ch", "at"];

/// The domain of a number.
pub fn domain(number: usize) -> String {
    let words = WORDS.len();
    format!(
        "{}{}{number}.{}",
        WORDS[number % words],
        WORDS[number / words % words],
        ENDS[number % ENDS.len()]
    )
}

/// The domain of a sender, with which an inbound connector is about.
pub fn sender_domain(connector: usize) -> String {
    format!("sender{connector}.example")
}

/// A configuration of so many domains, spread over so many connectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Book {
    pub domains: usize,
    pub connectors: usize,
    /// As many inbound connectors, each with one domain.
    pub inbound: bool,
}

impl Book {
    pub fn small(domains: usize) -> Book {
        Book { domains, connectors: domains.clamp(1, 10_000), inbound: false }
    }

    /// The policy that a domain gets.
    pub fn policy(&self, number: usize) -> String {
        let connector = number % self.connectors;
        format!("secure match=partner{connector}.net:.partner{connector}.net")
    }

    /// Writes it, with a socket for each protocol in the runtime directory; the path of the main file.
    pub fn write(&self, directory: &Path, decisions: &str) -> PathBuf {
        let lists = directory.join("lists");
        fs::create_dir_all(&lists).unwrap();
        let mut text = format!("version = 1\n[server]\ndecisions = \"{decisions}\"\n");
        for connector in 0..self.connectors {
            let mut list = String::new();
            for number in (connector..self.domains).step_by(self.connectors) {
                list += &domain(number);
                list.push('\n');
            }
            fs::write(lists.join(connector.to_string()), list).unwrap();
            write!(
                text,
                "[[outbound]]\nname = \"partner{connector}\"\nmode = \"enforce\"\n\
                 domains_file = \"lists/{connector}\"\ntls = \"secure\"\nmatch = [\"*.partner{connector}.net\"]\n"
            )
            .unwrap();
            if self.inbound {
                write!(
                    text,
                    "[[inbound]]\nname = \"partner{connector}-in\"\nmode = \"enforce\"\n\
                     identify.domains = [\"{}\"]\nrequire.tls = \">=TLSv1.2\"\n\
                     require.certificate.names = [\"*.partner{connector}.net\"]\n\
                     require.certificate.issuers = [\"Partner CA\"]\non_violation = \"reject\"\n",
                    sender_domain(connector)
                )
                .unwrap();
            }
        }
        let main = directory.join("connectord.toml");
        fs::write(&main, text).unwrap();
        main
    }
}
