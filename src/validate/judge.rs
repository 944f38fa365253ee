//! What Postfix would decide at one address, and what to tell the partner.
//!
//! Pure: what was seen, and what others made of the chain, of TLSA records and of revocation, go
//! in; verdict, code, words and warnings come out. The decision follows smtp_proto.c and
//! tls_client.c at the connector's level; names and pins are judged by [`judgement::leaf`], the
//! function of the daemon. In doubt the verdict is never `pass`.
//!
//! Texts of the peer are escaped here, because a report goes to terminals, files and tickets.

use jiff::Timestamp;

use super::distrust::Fault;
use super::observation::{Observation, Stage, TlsSession, Trouble};
use super::reasons::{escaped, is_for_now, mail_words, trouble_words};
use super::report::{AddressReport, CertificateReport, DaneReport, MtaStsReport, Verdict};
use super::revocation::Revocation;
use super::trust::{Trust, allows_key};
use super::warnings::warnings;
use crate::model::certificate::Certificate;
use crate::model::judgement::{self, Objection};
use crate::model::requirement::TlsVersion;
use crate::model::{Domain, Level, Requirement};

/// Certificates of a chain that are reported besides the leaf. Ours: an honest one has three.
const MAX_SHOWN_CHAIN: usize = 5;

/// Everything that a judgement is made of.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// What the connector demands.
    pub requirement: &'a Requirement,
    /// The domain that is asked for: the recipient's, or that of the next-hop.
    pub domain: &'a Domain,
    /// What was seen.
    pub observation: &'a Observation,
    /// What OpenSSL makes of the chain with the connector's anchors; `None` without a TLS session.
    pub trust: Option<&'a Trust>,
    /// What is known of revocation; `None` without a TLS session.
    pub revocation: Option<&'a Revocation>,
    /// What the TLSA records say; `None` when nobody looked.
    pub dane: Option<&'a DaneReport>,
    /// What the domain's MTA-STS policy says; `None` when nobody looked.
    pub mta_sts: Option<&'a MtaStsReport>,
    /// The time of the judgement.
    pub now: Timestamp,
}

/// A decision, before warnings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub verdict: Verdict,
    pub code: &'static str,
    pub reason: String,
    pub detail: String,
    pub expected: String,
    pub presented: String,
}

impl Decision {
    pub fn pass() -> Decision {
        Decision::of(Verdict::Pass, "ok", String::new(), String::new())
    }

    pub fn fail(code: &'static str, reason: impl Into<String>, detail: impl Into<String>) -> Decision {
        Decision::of(Verdict::Fail, code, reason.into(), detail.into())
    }

    fn of(verdict: Verdict, code: &'static str, reason: String, detail: String) -> Decision {
        Decision { verdict, code, reason, detail, expected: String::new(), presented: String::new() }
    }

    /// What was wanted and what was there, to be shown side by side.
    fn showing(self, expected: impl Into<String>, presented: impl Into<String>) -> Decision {
        Decision { expected: expected.into(), presented: presented.into(), ..self }
    }

    fn warn(self) -> Decision {
        Decision { verdict: Verdict::Warn, ..self }
    }
}

/// Judges one address.
pub fn judge(case: &Case<'_>) -> AddressReport {
    let seen = case.observation;
    let leaf = leaf(seen.tls.as_ref());
    let decision = decide(case, leaf.as_ref()).unwrap_or_else(|decision| decision);
    let warnings = warnings(case, leaf.as_ref(), decision.code);
    let not_after = dates(case).into_iter().min();
    let mut report = AddressReport {
        host: seen.target.host.clone(),
        address: Some(seen.target.address),
        port: seen.target.port,
        verdict: decision.verdict,
        code: decision.code.to_owned(),
        reason: decision.reason,
        expected: decision.expected,
        presented: decision.presented,
        detail: decision.detail,
        warnings,
        tls: seen.tls.as_ref().map(|tls| tls.version.clone()),
        cipher: seen.tls.as_ref().map(|tls| tls.cipher.clone()),
        handshake_ms: seen.tls.as_ref().map(|tls| u64::try_from(tls.took.as_millis()).unwrap_or(u64::MAX)),
        certificate: leaf.as_ref().map(CertificateReport::of),
        chain: above(seen.tls.as_ref()),
        not_after,
        revocation: case.revocation.map(ToString::to_string).unwrap_or_default(),
        dane: case.dane.cloned(),
        mta_sts: case.mta_sts.cloned(),
        test_mail: seen.mail.as_ref().map(|mail| mail_words(mail, seen.trouble.as_ref())),
    };
    if report.verdict == Verdict::Pass
        && let Some(first) = report.warnings.first()
    {
        report.verdict = Verdict::Warn;
        report.code = first.code.clone();
        report.reason = first.reason.clone();
        report.detail = first.detail.clone();
    }
    report
}

/// The leaf, if it can be read.
pub(super) fn leaf(session: Option<&TlsSession>) -> Option<Certificate> {
    Certificate::from_der(session?.chain.first()?).ok()
}

/// The certificates above the leaf, as presented. One that cannot be read is left out.
fn above(session: Option<&TlsSession>) -> Vec<CertificateReport> {
    let chain = session.map(|session| session.chain.as_slice()).unwrap_or_default();
    let read = chain.iter().skip(1).take(MAX_SHOWN_CHAIN);
    read.filter_map(|der| Certificate::from_der(der).ok()).map(|one| CertificateReport::of(&one)).collect()
}

/// When the certificates that count expire: those of the chain as built, else as presented.
fn dates(case: &Case<'_>) -> Vec<Timestamp> {
    let presented = case.observation.tls.as_ref().map(|tls| tls.chain.as_slice()).unwrap_or_default();
    let chain = match case.trust {
        Some(Ok(trusted)) => trusted.chain.as_slice(),
        Some(Err(_)) | None => presented,
    };
    chain.iter().filter_map(|der| Certificate::from_der(der).ok()).map(|one| one.not_after()).collect()
}

/// The level at which Postfix works once it knows the TLSA records.
///
/// # Errors
/// A [`Decision`] when there is nothing left to do.
fn effective_level(case: &Case<'_>) -> Result<Level, Decision> {
    let level = case.requirement.level();
    if !matches!(level, Level::Dane | Level::DaneOnly) {
        return Ok(level);
    }
    let host = &case.observation.target.host;
    let Some(dane) = case.dane else {
        return Err(Decision::fail(
            "dane-unknown",
            format!("the TLSA records of {} could not be looked up", escaped(host)),
            "",
        ));
    };
    // MX records without DNSSEC: at `dane` Postfix checks all the same
    // (smtp_tls_dane_insecure_mx_policy), at `dane-only` it never delivers.
    let counts = dane.present && (level == Level::Dane || dane.authenticated);
    match (level, counts, dane.matches) {
        (_, true, Some(_)) => Ok(level),
        (Level::Dane, false, _) => Ok(Level::May),
        (Level::Dane, true, None) => Ok(Level::Encrypt),
        (_, false, _) => Err(Decision::fail(
            "no-dane",
            format!(
                "there are no TLSA records for {} that DNSSEC authenticates, and the level dane-only needs them",
                escaped(host)
            ),
            dane.detail.clone(),
        )),
        (_, true, None) => Err(Decision::fail(
            "dane-unusable",
            format!("none of the TLSA records of {} is usable", escaped(host)),
            dane.detail.clone(),
        )),
    }
}

/// The decision; the error is one too, made before the end.
fn decide(case: &Case<'_>, leaf: Option<&Certificate>) -> Result<Decision, Decision> {
    let seen = case.observation;
    let level = effective_level(case)?;
    if let Some((stage, trouble)) = &seen.trouble
        && *stage < Stage::Mail
    {
        return Err(without_session(case, level, *stage, trouble));
    }
    let Some(session) = &seen.tls else {
        return Err(Decision::fail("no-session", "no TLS session was seen", ""));
    };
    version(case, session)?;
    match level {
        Level::May | Level::Encrypt => {}
        Level::Verify | Level::Secure => chain_and_name(case, leaf)?,
        Level::Fingerprint => {
            let der = session.chain.first().ok_or_else(no_certificate)?;
            allows_key(der).map_err(|distrust| {
                Decision::fail(distrust.code(), distrust.to_string(), distrust.openssl)
            })?;
            name_or_pin(case, leaf)?;
        }
        Level::Dane | Level::DaneOnly => {
            let der = session.chain.first().ok_or_else(no_certificate)?;
            allows_key(der).map_err(|distrust| {
                Decision::fail(distrust.code(), distrust.to_string(), distrust.openssl)
            })?;
            let dane = case.dane.filter(|dane| dane.matches == Some(true));
            if dane.is_none() {
                return Err(Decision::fail(
                    "dane-mismatch",
                    "the server's certificate is not the one that the TLSA records in DNS promise; whoever renewed \
                     the certificate has to renew the records too",
                    case.dane.map(|dane| dane.detail.clone()).unwrap_or_default(),
                ));
            }
        }
    }
    Ok(mail(case).unwrap_or_else(Decision::pass))
}

fn no_certificate() -> Decision {
    Decision::fail("no-certificate", "the server presents no certificate", "")
}

/// A session that ended before there was a second EHLO over TLS.
fn without_session(case: &Case<'_>, level: Level, stage: Stage, trouble: &Trouble) -> Decision {
    let old = old_version(case, level);
    let (code, reason, detail) = match (stage, &old) {
        (Stage::Handshake, Some(reason)) => ("tls-too-old", reason.clone(), trouble_words(stage, trouble).2),
        _ => trouble_words(stage, trouble),
    };
    let decision = Decision::fail(code, reason, detail);
    if !level.allows_plaintext() || level == Level::Dane {
        return decision;
    }
    match (stage, trouble) {
        // smtp_proto.c: at `may` the session goes on in plaintext.
        (Stage::StartTls, Trouble::NotOffered | Trouble::Reply(_)) => {
            Decision { reason: format!("{}; mail is sent in plaintext", decision.reason), ..decision }.warn()
        }
        // smtp.h: PLAINTEXT_FALLBACK_OK_AFTER_STARTTLS_FAILURE
        (Stage::Handshake, _) => Decision {
            reason: format!("{}; mail waits, and is then sent in plaintext", decision.reason),
            ..decision
        }
        .warn(),
        _ => decision,
    }
}

/// Why the handshake could not succeed, if the second visit showed it.
fn old_version(case: &Case<'_>, level: Level) -> Option<String> {
    let spoken = case.observation.tls.as_ref()?.version.as_str();
    let needed =
        if matches!(level, Level::May | Level::Encrypt) { TlsVersion::Tls10 } else { TlsVersion::Tls12 };
    let needed = case.requirement.min_version().map_or(needed, |minimum| minimum.max(needed));
    let version = TlsVersion::from_word(spoken)?;
    (version < needed).then(|| {
        format!("the server speaks {spoken} at most, and {needed} or newer is needed; it has to be updated")
    })
}

/// The handshake has seen to it already; asked again all the same.
fn version(case: &Case<'_>, session: &TlsSession) -> Result<(), Decision> {
    let Some(minimum) = case.requirement.min_version() else { return Ok(()) };
    if TlsVersion::from_word(&session.version).is_some_and(|version| version >= minimum) {
        return Ok(());
    }
    let reason = format!("{minimum} or newer is needed, {} was spoken", escaped(&session.version));
    Err(Decision::fail("tls-too-old", reason, ""))
}

fn chain_and_name(case: &Case<'_>, leaf: Option<&Certificate>) -> Result<(), Decision> {
    match case.trust {
        None => Err(Decision::fail("not-judged", "the certificate chain was not judged", "")),
        Some(Ok(_)) => name_or_pin(case, leaf),
        Some(Err(distrust)) => {
            let mut detail = format!("OpenSSL {}", distrust.openssl);
            if distrust.fault != Fault::Nothing
                && let Err(decision) = name_or_pin(case, leaf)
            {
                detail = format!("{detail}. Besides, {}", decision.detail);
            }
            Err(Decision::fail(distrust.code(), distrust.to_string(), detail))
        }
    }
}

fn name_or_pin(case: &Case<'_>, leaf: Option<&Certificate>) -> Result<(), Decision> {
    let Some(leaf) = leaf else {
        return Err(Decision::fail("certificate-unreadable", "the server's certificate cannot be read", ""));
    };
    let host = case.observation.target.host.trim_end_matches('.').to_ascii_lowercase();
    let objection = match judgement::leaf(case.requirement, leaf, case.domain.as_str(), &host) {
        Ok(()) => return Ok(()),
        Err(objection) => objection,
    };
    let detail = objection.to_string();
    Err(match objection {
        Objection::Fingerprint => Decision::fail(
            "fingerprint-mismatch",
            "the server shows another certificate and another key than agreed",
            detail,
        )
        .showing(
            pins(case.requirement),
            format!("certificate {}, key {}", leaf.fingerprint(), leaf.key_fingerprint()),
        ),
        // The chain's judge has said so already; whoever comes here is in doubt.
        Objection::Purpose => {
            Decision::fail("wrong-purpose", "the server's certificate is not for a server", detail)
        }
        Objection::Host => Decision::fail(
            "no-host-name",
            "the server is known by an address only, and its certificate is to show the host's name",
            detail,
        ),
        Objection::Name { presented, wanted } => {
            let mut presented: Vec<String> = presented.iter().map(ToString::to_string).collect();
            if presented.is_empty() {
                presented = leaf.dns_names().iter().map(|name| escaped(name)).collect();
            }
            let shown = match presented.as_slice() {
                [] => "no name of a mail server".to_owned(),
                names => super::reasons::few(names, 5),
            };
            Decision::fail(
                "name-mismatch",
                "the server's certificate is for another name: either the server needs one with the expected name, or \
                 the agreement has to be changed",
                detail,
            )
            .showing(wanted, shown)
        }
    })
}

/// The digests that were agreed.
fn pins(requirement: &Requirement) -> String {
    let pins: Vec<String> = requirement.pins().into_iter().flatten().map(ToString::to_string).collect();
    super::reasons::few(&pins, 2)
}

/// What the test mail showed; none when there is nothing to say of it.
fn mail(case: &Case<'_>) -> Option<Decision> {
    let mail = case.observation.mail.as_ref()?;
    if let Some((stage, trouble)) = &case.observation.trouble {
        let (_, reason, detail) = trouble_words(*stage, trouble);
        let reason = format!("the test mail was not taken: {reason}");
        return Some(Decision::fail("test-mail-refused", reason, detail));
    }
    if let Some((address, reply)) = mail.refused.iter().find(|(_, reply)| !is_for_now(reply)) {
        let reason = format!("the server refuses mail for {}", escaped(address));
        let decision = Decision::fail("recipient-refused", reason, escaped(reply));
        return Some(if mail.accepted.is_empty() { decision } else { decision.warn() });
    }
    // Greeting strangers with 450 is how greylisting works (RFC 6647 section 2): the MTA tries again.
    let (address, reply) = mail.refused.first()?;
    let reason = format!(
        "mail for {} is not taken yet; the server asks to try again later, as with greylisting",
        escaped(address)
    );
    Some(Decision::fail("recipient-deferred", reason, escaped(reply)).warn())
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
