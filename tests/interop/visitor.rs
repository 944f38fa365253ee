//! Clients of all kinds: where they come from, and what they show.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, ClientConfig};

use crate::certificates::{Authority, Credentials, Purpose, Subject};
use crate::client::{Client, tls};
use crate::lab::Lab;
use crate::network::{OURS, OURS_V6, partner_address, partner_address_v6};

/// The last number of the agreed addresses, and of others.
pub const AGREED: u8 = 66;
const ELSEWHERE: u8 = 77;

/// A client: where from, and with what TLS, if any.
pub struct Visitor {
    source: IpAddr,
    tls: Option<Arc<ClientConfig>>,
    /// Goes on in plaintext where no TLS is offered.
    takes_plaintext: bool,
}

/// The certificates that clients show or the administrator has registered.
pub struct Wallet(pub BTreeMap<&'static str, Credentials>);

impl Wallet {
    pub fn new(authority: &Authority) -> Wallet {
        let stranger = Authority::new("Unknown CA");
        let right = Subject::client(&"mail.contoso.example");
        let registered = stranger.issue(right);
        let renewed = stranger.renew(right, &registered);
        let expired = Subject { expired: true, ..right };
        let san = Subject { common_name: None, ..right };
        let server = Subject { purpose: Purpose::Server, ..right };
        Wallet(BTreeMap::from([
            ("right", authority.issue(right)),
            ("other", authority.issue(Subject::client(&"mail.elsewhere.example"))),
            ("san", authority.issue(san)),
            ("self", right.self_signed()),
            ("expired", authority.issue(expired)),
            ("registered", registered),
            ("renewed", renewed),
            ("server", authority.issue(server)),
        ]))
    }

    pub fn visitor(&self, row: &str) -> Visitor {
        let elsewhere = partner_address(ELSEWHERE);
        let (source, tls) = match row {
            "plaintext" => (elsewhere, None),
            "agreed" => (partner_address(AGREED), None),
            "agreed6" => (partner_address_v6(AGREED), None),
            "tls12" => (elsewhere, Some(tls(None, &[&TLS12]))),
            "anonymous" | "opportunistic" => (elsewhere, Some(tls(None, &[&TLS13]))),
            "all" => (partner_address(AGREED), Some(tls(self.0.get("right"), ALL_VERSIONS))),
            row => (elsewhere, Some(tls(Some(&self.0[row]), ALL_VERSIONS))),
        };
        Visitor { source, tls, takes_plaintext: row == "opportunistic" }
    }
}

/// Connects as `visitor`, up to the second EHLO.
pub fn connect<M>(lab: &Lab<M>, visitor: &Visitor) -> Client {
    let destination = match visitor.source {
        IpAddr::V4(_) => IpAddr::V4(OURS),
        IpAddr::V6(_) => IpAddr::V6(OURS_V6),
    };
    let mut client = Client::connect(&lab.network.partner, visitor.source, destination);
    let greeting = client.expect("250", "EHLO mail.contoso.example");
    if let Some(config) = &visitor.tls
        && (greeting.contains("STARTTLS") || !visitor.takes_plaintext)
    {
        client = client.starttls(config);
        client.expect("250", "EHLO mail.contoso.example");
    }
    client
}
