//! What an outbound connector demands, from the keys that say it.

use std::collections::BTreeSet;

use toml::de::DeValue;

use super::certificates;
use super::mta::LEVELS;
use super::patterns::{self, Refusal};
use super::problem::shown;
use super::reading::Reading;
use super::source::Source;
use super::table::{Item, Table};
use crate::model::certificate::Fingerprint;
use crate::model::inbound::Registered;
use crate::model::mta::{Mta, PostfixVersion};
use crate::model::names::Names;
use crate::model::requirement::{CipherGrade, Error, Parts, Requirement, ServerName, TlsVersion};
use crate::model::{Domain, PatternSet};

/// Reads the requirement, and the certificates that it names. `None` when its parts are not there
/// or do not fit; that is told.
pub(super) fn read(
    reading: &mut Reading,
    table: &Table<'_>,
    source: &Source,
    mta: &Mta,
) -> (Option<Requirement>, Vec<Registered>) {
    let level = table
        .demand(
            reading,
            "tls",
            "write a TLS level of Postfix: encrypt, verify, secure, fingerprint, dane, dane-only or may",
        )
        .and_then(|item| item.word(reading, &LEVELS));
    let names = table.find("match").and_then(|item| names(reading, item));
    let ca_file = table.find("ca_file").and_then(|item| certificates::anchors(reading, item, source));
    if let (Some(item), None, true) = (table.find("ca_file"), &mta.queue_directory, reading.postfix_asks) {
        reading.warn(
            item.place,
            "without `queue_directory` Postfix is told the path of this file itself, which a chrooted smtp(8) cannot open",
            "set queue_directory in [mta], so that the file is copied to where it can be opened",
        );
    }
    let named = table.find("certificates").map(|item| certificates::named(reading, item, source));
    let named: Vec<Registered> = named.into_iter().flatten().map(|(named, _)| named).collect();
    let digests = |named: &Registered| [named.certificate.fingerprint(), named.certificate.key_fingerprint()];
    let mut pins: BTreeSet<Fingerprint> = named.iter().flat_map(digests).collect();
    if let Some(item) = table.find("fingerprints") {
        let texts = item.texts(reading);
        pins.extend(patterns::each(reading, &texts, |text| {
            Fingerprint::parse(text).map_err(|error| {
                Refusal::new(format!("{} is no fingerprint: {error}", shown(text)), FINGERPRINT_HELP)
            })
        }));
    }
    let min_version = table.find("protocols").and_then(|item| {
        newer(reading, item, mta, PostfixVersion::PROTOCOL_BOUND);
        min_version(reading, item)
    });
    let ciphers = table.find("ciphers").and_then(|item| {
        item.word(reading, &[CipherGrade::Medium, CipherGrade::High].map(|grade| (grade.word(), grade)))
    });
    let servername = table.find("servername").and_then(|item| {
        newer(reading, item, mta, PostfixVersion::SERVERNAME);
        servername(reading, item)
    });
    let Some(level) = level else {
        return (None, named);
    };
    let parts = Parts { level, names, ca_file, pins, min_version, ciphers, servername };
    let requirement = Requirement::new(parts).map_err(|errors| {
        for error in errors {
            misfit(reading, table, error);
        }
    });
    (requirement.ok(), named)
}

const FINGERPRINT_HELP: &str = "`openssl x509 -in FILE -noout -fingerprint -sha256` shows a certificate's";

fn names(reading: &mut Reading, item: Item<'_>) -> Option<Names> {
    if let DeValue::String(word) = item.value() {
        if word == "domain" {
            return Some(Names::Domain);
        }
        match patterns::server_name(word) {
            Ok(_) => {
                let help = format!(
                    "write it in brackets: match = [\"{word}\"]; only match = \"domain\" stands alone"
                );
                reading.problem(item.place, "`match` is a list of names", help);
            }
            Err(refusal) => refusal.told(reading, item.place),
        }
        return None;
    }
    let texts = item.texts(reading);
    let patterns = patterns::each(reading, &texts, patterns::server_name);
    (!patterns.is_empty()).then(|| Names::Set(PatternSet::new(patterns)))
}

/// A minimum TLS version, written as Postfix writes it: `>=TLSv1.2`.
pub(super) fn min_version(reading: &mut Reading, item: Item<'_>) -> Option<TlsVersion> {
    let text = item.text(reading)?;
    let word = text.text.strip_prefix(">=");
    let version = word.and_then(|word| TlsVersion::ALL.into_iter().find(|version| version.word() == word));
    match version {
        None => {
            let message = format!("{} is no minimum version", shown(text.text));
            reading.problem(
                text.place,
                message,
                "write \">=TLSv1.2\" or \">=TLSv1.3\" (\">=TLSv1\" and \">=TLSv1.1\" are read too)",
            );
        }
        Some(old) if old < TlsVersion::Tls12 => {
            let message = format!("this lets {old} through, which is deprecated (RFC 8996)");
            reading.warn(text.place, message, "write \">=TLSv1.2\"");
        }
        Some(_) => {}
    }
    version
}

fn servername(reading: &mut Reading, item: Item<'_>) -> Option<ServerName> {
    let text = item.text(reading)?;
    match text.text {
        "hostname" => return Some(ServerName::HostName),
        "nexthop" => return Some(ServerName::NextHop),
        _ => {}
    }
    // A single label could be one of Postfix's words in another spelling; an address is no SNI
    // (RFC 6066 section 3).
    match Domain::parse(text.text) {
        Ok(name) if name.labels() > 1 && text.text.parse::<std::net::IpAddr>().is_err() => {
            Some(ServerName::Name(name))
        }
        _ => {
            let message = format!("{} is no name of a server", shown(text.text));
            reading.problem(
                text.place,
                message,
                "write \"hostname\", \"nexthop\", or a whole name such as \"mail.contoso.com\"",
            );
            None
        }
    }
}

/// Tells when a key needs a newer Postfix than the one that asks: an attribute that it does not
/// know defers all mail (smtp_tls_policy.c:tls_policy_lookup_one).
pub(super) fn newer(reading: &mut Reading, item: Item<'_>, mta: &Mta, needed: PostfixVersion) {
    if mta.postfix < needed {
        let message =
            format!("`{}` needs Postfix {needed}; [mta] says that {} asks", item.path(), mta.postfix);
        reading.problem(
            item.key_place,
            message,
            "correct `postfix` in [mta] if it is newer; else leave the key out, or upgrade Postfix",
        );
    }
}

/// Points at the key that does not fit, unless it is only missing because it could not be read.
fn misfit(reading: &mut Reading, table: &Table<'_>, error: Error) {
    let tried = |keys: &[&'static str]| keys.iter().any(|&key| table.find(key).is_some());
    let help = match error {
        Error::NamesMissing if tried(&["match"]) => return,
        Error::PinsMissing if tried(&["certificates", "fingerprints"]) => return,
        Error::NamesMissing => {
            "write match = [\"*.contoso.com\"] with the partner's names, or match = \"domain\""
        }
        Error::PinsMissing => "write certificates = [\"contoso.pem\"] or fingerprints = [\"sha256:..\"]",
        Error::NamesIdle
        | Error::AnchorsIdle
        | Error::PinsIdle
        | Error::ServerNameIdle
        | Error::VersionWeakens
        | Error::CiphersWeaken => "remove the key, or change `tls`",
    };
    let item = table.find(error.key()).or_else(|| table.find("fingerprints"));
    let place = match item {
        Some(item) if error.key() == "tls" => item.place,
        Some(item) => item.key_place,
        None => table.header,
    };
    reading.problem(place, error.to_string(), help);
}
