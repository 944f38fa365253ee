//! What is known of a mail when its inbound connectors are decided.
//!
//! [`Mail`] borrows the attributes of a request as they were sent; reading them is part of the
//! decision, because what cannot be read must not pass as "nothing to object".

use std::borrow::Cow;
use std::net::IpAddr;

use crate::model::certificate::{Fingerprint, Presented, PresentedName};
use crate::model::domain;
use crate::model::host::KeyHost;

/// A mail under decision. The fields hold what the MTA sent, unread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mail<'a> {
    /// Where in the SMTP session the question is asked.
    pub state: &'a [u8],
    /// The client's address.
    pub client_address: &'a [u8],
    /// What the client called itself.
    pub helo: &'a [u8],
    /// MAIL FROM without brackets; empty for the null sender.
    pub sender: &'a [u8],
    /// RCPT TO without brackets; empty where the MTA names none.
    pub recipient: &'a [u8],
    /// The login of an authenticated client; empty otherwise.
    pub sasl_username: &'a [u8],
    /// The TLS version, such as `TLSv1.3`; empty in plaintext.
    pub tls_version: &'a [u8],
    /// The client certificate.
    pub certificate: ClientCertificate<'a>,
}

/// The client certificate as far as the MTA tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientCertificate<'a> {
    /// Common name, decoded; empty when there is none or the chain is not trusted.
    pub common_name: &'a [u8],
    /// Issuer, decoded; empty exactly when the chain is not trusted.
    pub issuer: &'a [u8],
    /// Digest of the certificate as sent; empty when none was presented.
    pub fingerprint: &'a [u8],
    /// Digest of its public key as sent.
    pub key_fingerprint: &'a [u8],
    /// The names that the certificate itself shows, from an MTA that hands it over; empty when the
    /// chain is not trusted, and always from Postfix.
    pub alternative_names: &'a [PresentedName],
}

/// Where in a session a policy request was made (SMTPD_POLICY_README, `protocol_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolState {
    /// Before STARTTLS could have happened, or about no mail: nothing is decided.
    Early,
    /// MAIL FROM: no recipient is known yet.
    Mail,
    /// One recipient.
    Recipient,
    /// All recipients are known to the MTA; it names the recipient only when it is the only one.
    Data,
}

impl ProtocolState {
    /// The state of a `protocol_state` value; none for a word that Postfix does not document.
    pub fn of(word: &[u8]) -> Option<ProtocolState> {
        match word {
            b"CONNECT" | b"EHLO" | b"HELO" | b"VRFY" | b"ETRN" => Some(ProtocolState::Early),
            b"MAIL" => Some(ProtocolState::Mail),
            b"RCPT" => Some(ProtocolState::Recipient),
            b"DATA" | b"END-OF-MESSAGE" => Some(ProtocolState::Data),
            _ => None,
        }
    }
}

/// The identity that a sender's domain is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity<'a> {
    /// A domain.
    Domain(Cow<'a, str>),
    /// An address literal: no domain, so only `*` is about it.
    Literal,
    /// Nothing that could be compared.
    Unusable,
}

impl<'a> Mail<'a> {
    /// The domain that the sender belongs to. For the null sender the HELO name, as its only trace.
    pub fn identity(&self) -> Identity<'a> {
        let Ok(sender) = std::str::from_utf8(self.sender) else {
            return Identity::Unusable;
        };
        if sender.is_empty() {
            return std::str::from_utf8(self.helo).map_or(Identity::Unusable, identity_of);
        }
        domain_of(sender).map_or(Identity::Unusable, identity_of)
    }

    /// The client's address, IPv4-mapped ones as IPv4; none when it does not parse.
    pub fn client(&self) -> Option<IpAddr> {
        let text = std::str::from_utf8(self.client_address).ok()?;
        text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
    }

    /// The domain of the recipient: none where there is none, or nothing that could be compared;
    /// such a recipient is ours and in every scope.
    pub fn recipient_domain(&self) -> Option<Cow<'a, str>> {
        domain_of(std::str::from_utf8(self.recipient).ok()?).and_then(|domain| domain::normalise(domain).ok())
    }
}

/// The domain of an address once Postfix has rewritten it (rewrite.c:rewrite_tree): behind the last
/// `@`; without one, before the first `!`, else behind the last `%`.
fn domain_of(address: &str) -> Option<&str> {
    // By octets: the library's search for a character takes twice as long for texts as short as these.
    let at = address.bytes().rposition(|octet| octet == b'@').and_then(|at| address.get(at + 1..));
    let bang = || address.split_once('!').map(|(domain, _)| domain);
    let percent = || address.rsplit_once('%').map(|(_, domain)| domain);
    at.or_else(bang).or_else(percent)
}

fn identity_of(text: &str) -> Identity<'_> {
    if let Some(literal) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match KeyHost::parse(literal) {
            Ok(KeyHost::Address(_)) => Identity::Literal,
            Ok(KeyHost::Name(_)) | Err(_) => Identity::Unusable,
        };
    }
    match KeyHost::parse(text) {
        Ok(KeyHost::Name(name)) => Identity::Domain(name),
        Ok(KeyHost::Address(_)) => Identity::Literal,
        Err(_) => Identity::Unusable,
    }
}

impl ClientCertificate<'_> {
    /// The digests that are SHA-256, and whether one was sent that is not.
    pub fn digests(&self) -> (Vec<Fingerprint>, bool) {
        let mut known = Vec::new();
        let mut other = false;
        for sent in [self.fingerprint, self.key_fingerprint] {
            match Fingerprint::from_postfix(sent) {
                Presented::Sha256(digest) => known.push(digest),
                Presented::OtherDigest { .. } | Presented::Malformed => other = true,
                Presented::None => {}
            }
        }
        (known, other)
    }

    /// Whether the client presented one.
    pub fn is_presented(&self) -> bool {
        [self.fingerprint, self.key_fingerprint, self.issuer].iter().any(|value| !value.is_empty())
    }

    /// Whether a trusted authority vouches for it. Postfix sends the issuer only then
    /// (smtpd_check.c:check_policy_service), even where there is no common name to send.
    pub fn is_trusted(&self) -> bool {
        !self.issuer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_the_sender_belongs_to_the_domain_that_postfix_will_give_it() {
        let domain = |text: &'static str| Identity::Domain(Cow::Borrowed(text));
        let table = [
            ("bob@contoso.com", domain("contoso.com")),
            ("Bob@CONTOSO.com", domain("contoso.com")),
            ("\"a@b\"@contoso.com", domain("contoso.com")),
            ("b o=b@contoso.com", domain("contoso.com")),
            ("a%contoso.com", domain("contoso.com")),
            ("contoso.com!a", domain("contoso.com")),
            ("contoso.com!a%other.example", domain("contoso.com")),
            ("a%x%contoso.com", domain("contoso.com")),
            ("a%contoso.com@relay.example", domain("relay.example")),
            ("a@contoso.com.", domain("contoso.com")),
            ("a@[192.0.2.1]", Identity::Literal),
            ("a@[IPv6:2001:db8::1]", Identity::Literal),
            ("bob", Identity::Unusable),
            ("bob@", Identity::Unusable),
            ("bob@a..b", Identity::Unusable),
            ("bob@a b", Identity::Unusable),
            ("bob@[contoso.com]", Identity::Unusable),
            ("bob@*.contoso.com", Identity::Unusable),
        ];
        for (sender, expected) in table {
            let mail = Mail { sender: sender.as_bytes(), helo: b"helo.example", ..Mail::default() };
            assert_eq!(mail.identity(), expected, "{sender}");
        }
    }

    #[test]
    fn p_a_bounce_is_known_by_its_helo_name() {
        let table: [(&[u8], Identity<'_>); 5] = [
            (b"Mail.Contoso.com", Identity::Domain(Cow::Borrowed("mail.contoso.com"))),
            (b"[192.0.2.1]", Identity::Literal),
            (b"192.0.2.1", Identity::Literal),
            (b"", Identity::Unusable),
            (b"\xff", Identity::Unusable),
        ];
        for (helo, expected) in table {
            let mail = Mail { helo, ..Mail::default() };
            assert_eq!(mail.identity(), expected, "{helo:?}");
        }
    }
}
