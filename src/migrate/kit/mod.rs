//! What a partner has to configure so that a connector of ours is met: the mirror of an agreement.
//!
//! Our *outbound* connector is about the side of theirs that receives: their servers show what it demands, and may
//! refuse our mail when it comes in plaintext. Our *inbound* connector is about the side of theirs that sends: it is made to
//! use TLS with us, and to compare our certificate with the names that `[organisation]` says it shows.
//!
//! A kit is text for a stranger. Nothing in it is invented: what is not known of us is a placeholder in a comment, which
//! nobody can run by accident, and [`Kit::lacks`] names the key that would fill it. Nothing from the configuration leaves
//! its line or its quotes.
//!
//! [`same`] is the other half: an own connector in the terms of Exchange Online, to be compared with what it was imported
//! from.

mod exchange;
mod exchange_online;
mod exim;
mod google;
mod names;
mod ours;
mod page;
mod postfix;
mod powershell;
mod same;
#[cfg(test)]
mod same_tests;
#[cfg(test)]
mod tests;
mod words;

use crate::model::{Inbound, Organisation, Outbound};
use ours::Ours;
use page::Page;

pub use same::same;

/// What the partner's mail servers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Exchange Online: PowerShell.
    ExchangeOnline,
    /// Exchange Server: PowerShell.
    Exchange,
    /// Google Workspace: steps in its console.
    Google,
    /// Postfix: lines of main.cf, and tables.
    Postfix,
    /// Exim: an ACL, a router and a transport.
    Exim,
    /// Anything: sentences.
    Text,
}

/// A connector of either direction.
#[derive(Clone, Copy, Debug)]
pub enum Connector<'c> {
    /// For mail to the partner.
    Outbound(&'c Outbound),
    /// For mail from there.
    Inbound(&'c Inbound),
}

impl<'c> Connector<'c> {
    /// Its name.
    pub fn name(&self) -> &'c str {
        match self {
            Connector::Outbound(connector) => connector.name.as_str(),
            Connector::Inbound(connector) => connector.name.as_str(),
        }
    }
}

/// What is handed to the partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kit {
    /// The text.
    pub text: String,
    /// What it lacks, each in words with the key that has it.
    pub lacks: Vec<String>,
}

impl Kit {
    fn of(page: Page) -> Kit {
        let (text, lacks) = page.finish();
        Kit { text, lacks }
    }
}

/// What the partner configures for this connector. With `both` the kit of an outbound one has mail in the other direction
/// too, which nothing of ours demands.
pub fn theirs(connector: Connector<'_>, organisation: &Organisation, product: Product, both: bool) -> Kit {
    let ours = Ours::new(organisation, connector.name());
    let mut page = match product {
        Product::ExchangeOnline | Product::Exchange => Page::of_powershell(),
        Product::Postfix | Product::Exim => Page::new("# "),
        Product::Google | Product::Text => Page::new(""),
    };
    let name = ours.name(&mut page);
    page.talk(&format!("Your part of the agreement {} with {name}.", connector.name()));
    let contact = ours.contact(&mut page);
    page.talk(&format!("Questions: {contact}"));
    page.blank();
    match connector {
        Connector::Outbound(outbound) => {
            words::outbound(&mut page, outbound);
            page.blank();
            receives(&mut page, outbound, ours, product);
            if both {
                page.blank();
                page.talk(
                    "Mail from you to us; we do not demand that it comes over TLS, and this sees to it on \
                     your side:",
                );
                sends(&mut page, None, ours, product);
            }
        }
        Connector::Inbound(inbound) => {
            words::inbound(&mut page, inbound);
            page.blank();
            sends(&mut page, Some(inbound), ours, product);
        }
    }
    Kit::of(page)
}

fn receives(page: &mut Page, connector: &Outbound, ours: Ours<'_>, product: Product) {
    match product {
        Product::ExchangeOnline => exchange_online::receives(page, connector, ours),
        Product::Exchange => exchange::receives(page, connector, ours),
        Product::Google => google::receives(page, connector, ours),
        Product::Postfix => postfix::receives(page, connector, ours),
        Product::Exim => exim::receives(page, connector, ours),
        Product::Text => words::receives(page, connector, ours),
    }
}

fn sends(page: &mut Page, connector: Option<&Inbound>, ours: Ours<'_>, product: Product) {
    match product {
        Product::ExchangeOnline => exchange_online::sends(page, connector, ours),
        Product::Exchange => exchange::sends(page, connector, ours),
        Product::Google => google::sends(page, connector, ours),
        Product::Postfix => postfix::sends(page, connector, ours),
        Product::Exim => exim::sends(page, connector, ours),
        Product::Text => words::sends(page, connector, ours),
    }
}
