//! Policy delegation: every request of a stream gets one action of the closed list, as severe as its connectors ask.

use connectord::answer::{self, ClientCertificate};
use connectord::protocol::policy::{decode, encode_action};
use connectord::protocol::{Error, xtext};

use super::inbound::{self, Known};
use super::site::{CLIENT_DIGEST, CLIENT_KEY_DIGEST, now, sites};
use super::{naive, stream, vocabulary};

/// Answers a stream of requests.
pub fn policy(data: &[u8]) {
    stream::requests(data, answered);
}

/// As a connection does it: the reply to the request that a buffer begins with.
fn answered(buffer: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Error> {
    let Some((request, consumed)) = decode(buffer)? else {
        return Ok(None);
    };
    let decoded = |value| xtext::decode(value).unwrap_or_default();
    let (subject, issuer) = (decoded(request.ccert_subject), decoded(request.ccert_issuer));
    let certificate = ClientCertificate {
        common_name: &subject,
        issuer: &issuer,
        fingerprint: request.ccert_fingerprint,
        key_fingerprint: request.ccert_pubkey_fingerprint,
        alternative_names: &[],
    };
    let mail = answer::Mail {
        state: request.protocol_state,
        client_address: request.client_address,
        helo: request.helo_name,
        sender: request.sender,
        recipient: request.recipient,
        sasl_username: request.sasl_username,
        tls_version: request.encryption_protocol,
        certificate,
    };
    let decision = answer::inbound(&sites()[0].snapshot, &mail, now);
    let mut reply = Vec::new();
    encode_action(decision.action(), &mut reply);

    let severity = vocabulary::policy(&reply, vocabulary::SITE);
    let lines = Lines::of(buffer.get(..consumed).expect("no more is consumed than is there"));
    assert_eq!(lines.value("request"), b"smtpd_access_policy");
    assert_eq!((severity, severity), lines.expected(), "{:?}", String::from_utf8_lossy(&reply));
    Ok(Some((reply, consumed)))
}

/// A request read in the plainest way.
struct Lines<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Lines<'a> {
    fn of(request: &'a [u8]) -> Self {
        let lines =
            request.strip_suffix(b"\n\n").expect("a request ends in an empty line").split(|&b| b == b'\n');
        Lines(
            lines
                .map(|line| {
                    let equals = line.iter().position(|&b| b == b'=').expect("a line has an equals sign");
                    (&line[..equals], &line[equals + 1..])
                })
                .collect(),
        )
    }

    fn value(&self, name: &str) -> &'a [u8] {
        self.0.iter().find(|(found, _)| *found == name.as_bytes()).map_or(b"", |(_, value)| value)
    }

    fn expected(&self) -> (vocabulary::Severity, vocabulary::Severity) {
        // RFC 3461's `+XX`; what is malformed is nothing.
        let text = |name| {
            xtext::decode(self.value(name)).ok().and_then(|bytes| String::from_utf8(bytes.into_vec()).ok())
        };
        let named = text("ccert_subject").is_some_and(|name| is_partner(&name));
        let partner = named && text("ccert_issuer").is_some_and(|issuer| issuer == "Lab Partner CA");
        let digest = |name, digest: &str| self.value(name) == digest.as_bytes();
        let registered = digest("ccert_fingerprint", CLIENT_DIGEST)
            || digest("ccert_fingerprint", CLIENT_KEY_DIGEST)
            || digest("ccert_pubkey_fingerprint", CLIENT_DIGEST)
            || digest("ccert_pubkey_fingerprint", CLIENT_KEY_DIGEST);
        let known = |fact| if fact { Known::Yes } else { Known::No };
        inbound::expected(&inbound::Mail {
            state: self.value("protocol_state"),
            client: self.value("client_address"),
            helo: self.value("helo_name"),
            sender: self.value("sender"),
            recipient: self.value("recipient"),
            authenticated: !self.value("sasl_username").is_empty(),
            tls: self.value("encryption_protocol"),
            partner: known(partner),
            registered: known(registered),
        })
    }
}

/// A common name below partner.example, and nothing but a name.
fn is_partner(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253
        && name.split('.').all(label)
        && naive::covers("*.partner.example", &name.to_ascii_lowercase())
}
