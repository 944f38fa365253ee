//! What should be looked at though mail is delivered.
//!
//! Each warning is something that Postfix passes over today at this level, and that stops mail at
//! another sender, at a stricter level, or on another day.

use jiff::{SignedDuration, Timestamp};

use super::judge::Case;
use super::reasons::escaped;
use super::report::{Finding, Verdict};
use super::revocation::Revocation;
use crate::model::Level;
use crate::model::certificate::{Certificate, DateProblem, KeyAlgorithm};
use crate::model::requirement::TlsVersion;

/// How long before its end a certificate is worth a warning.
pub const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// RSA below this is called weak (NIST SP 800-57 part 1, table 2: 112 bits of security).
const RSA_BITS: usize = 2048;

fn finding(code: &str, reason: impl Into<String>, detail: impl Into<String>) -> Finding {
    Finding::new(Verdict::Warn, code, reason, detail)
}

/// All warnings about an address, gravest first, but for what the decision says already: `decided` is
/// its code.
pub(super) fn warnings(case: &Case<'_>, leaf: Option<&Certificate>, decided: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    revocation(case, &mut found);
    dates(case, leaf, decided, &mut found);
    strength(case, leaf, &mut found);
    order(case, &mut found);
    published(case, &mut found);
    found
}

fn revocation(case: &Case<'_>, found: &mut Vec<Finding>) {
    if let Some(Revocation::Revoked(how)) = case.revocation {
        found.push(finding(
            "revoked",
            "the server's certificate has been REVOKED by its authority: its key may be in other hands. Postfix \
             does not look at revocation and would deliver. Ask the partner at once",
            escaped(how),
        ));
    }
}

/// What may expire: the chain as built, or the leaf alone.
fn dates(case: &Case<'_>, leaf: Option<&Certificate>, decided: &str, found: &mut Vec<Finding>) {
    let idle = idle(case);
    let is_said = |code: &str, is_leaf: bool| is_leaf && code == decided;
    let built = match case.trust {
        Some(Ok(trusted)) => trusted.chain.as_slice(),
        Some(Err(_)) | None => &[],
    };
    let authorities = built.iter().skip(1).filter_map(|der| Certificate::from_der(der).ok());
    let all = leaf.cloned().into_iter().map(|leaf| (true, leaf)).chain(authorities.map(|one| (false, one)));
    for (is_leaf, certificate) in all {
        let whose = if is_leaf {
            "the server's certificate".to_owned()
        } else {
            format!("the certificate of its authority ({})", certificate.subject())
        };
        match certificate.valid_at(case.now) {
            Err(DateProblem::Expired { not_after }) if !is_said("expired", is_leaf) => {
                found.push(finding("expired", format!("{whose} expired on {}{idle}", day(not_after)), ""))
            }
            Err(DateProblem::NotYetValid { not_before }) if !is_said("not-yet-valid", is_leaf) => {
                found.push(finding(
                    "not-yet-valid",
                    format!("{whose} is valid from {} only{idle}", day(not_before)),
                    "",
                ));
            }
            Err(DateProblem::Expired { .. } | DateProblem::NotYetValid { .. }) => {}
            Ok(()) if certificate.not_after().duration_since(case.now) <= EXPIRES_SOON => {
                let days = certificate.not_after().duration_since(case.now).as_hours() / 24;
                found.push(finding(
                    "expires-soon",
                    format!("{whose} expires on {}, in {days} days; renew it", day(certificate.not_after())),
                    "",
                ));
            }
            Ok(()) => {}
        }
    }
}

/// Why dates do not count here; empty where they do, and something else was in the way first.
fn idle(case: &Case<'_>) -> &'static str {
    match case.trust {
        _ if !case.requirement.level().judges_chain() => ", which this level does not look at",
        Some(Ok(trusted)) if trusted.leaf_is_anchor => {
            ", which does not count: it is itself in the connector's ca_file"
        }
        Some(Ok(_) | Err(_)) | None => "",
    }
}

/// The day of a time, in UTC.
fn day(time: Timestamp) -> String {
    time.to_string().split('T').next().unwrap_or_default().to_owned()
}

fn strength(case: &Case<'_>, leaf: Option<&Certificate>, found: &mut Vec<Finding>) {
    let session = case.observation.tls.as_ref();
    if let Some(session) = session
        && TlsVersion::from_word(&session.version).is_none_or(|version| version < TlsVersion::Tls12)
    {
        found.push(finding(
            "old-tls",
            format!(
                "the server speaks {} at most, which is broken; Postfix speaks it up to the level encrypt",
                escaped(&session.version)
            ),
            "",
        ));
    }
    let Some(leaf) = leaf else { return };
    let key = leaf.key();
    if matches!(key.algorithm, KeyAlgorithm::Rsa | KeyAlgorithm::Dsa)
        && key.bits.is_some_and(|bits| bits < RSA_BITS)
    {
        found.push(finding("weak-key", format!("the key of the server's certificate is weak: {key}"), ""));
    }
    if let Some(digest) = leaf.weak_signature().filter(|_| !leaf.is_self_issued()) {
        found.push(finding(
            "weak-signature",
            format!("the server's certificate is signed with {digest}, which is broken"),
            "",
        ));
    }
    let unasked = !case.requirement.level().judges_chain();
    if unasked && !leaf.purposes().server_auth {
        found.push(finding(
            "wrong-purpose",
            "the server's certificate is not made for a TLS server (its extended key usage lacks serverAuth)",
            "",
        ));
    }
}

fn order(case: &Case<'_>, found: &mut Vec<Finding>) {
    let Some(Ok(trusted)) = case.trust else { return };
    if trusted.disorder.unordered {
        found.push(finding(
            "chain-unordered",
            "the server sends its certificates in the wrong order; some clients give up at that",
            "",
        ));
    }
    if trusted.disorder.extra > 0 {
        found.push(finding(
            "chain-extra",
            "the server sends certificates that have nothing to do with its own",
            format!("{} of them", trusted.disorder.extra),
        ));
    }
}

/// What the partner publishes for everybody, where the connector does not ask for it.
fn published(case: &Case<'_>, found: &mut Vec<Finding>) {
    let asks_dane = matches!(case.requirement.level(), Level::Dane | Level::DaneOnly);
    if let Some(dane) = case.dane
        && !asks_dane
        && dane.authenticated
        && dane.matches == Some(false)
    {
        found.push(finding(
            "dane-mismatch",
            "the server's certificate is not the one that its TLSA records in DNS promise; senders with DANE do \
             not deliver here",
            dane.detail.clone(),
        ));
    }
    // Before 3.10, and unless main.cf itself says dane, Postfix then does not even look
    // (smtp_tls_dane_insecure_mx_policy).
    if let Some(dane) = case.dane
        && case.requirement.level() == Level::Dane
        && dane.present
        && !dane.authenticated
    {
        found.push(finding(
            "dane-insecure-mx",
            "DNSSEC does not vouch for the MX records of the domain: depending on its version and settings Postfix \
             then takes the level dane for may, and asks for no certificate",
            dane.detail.clone(),
        ));
    }
    if let Some(sts) = case.mta_sts
        && sts.mode.as_deref() == Some("enforce")
        && sts.covers == Some(false)
    {
        found.push(finding(
            "mta-sts-uncovered",
            "the domain's MTA-STS policy is enforced and does not cover this host; senders with MTA-STS do not \
             deliver here",
            sts.detail.clone(),
        ));
    }
}
