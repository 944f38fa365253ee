//! What a mail that comes in does not show of what a connector requires: TLS, a certificate, an address.

use jiff::Timestamp;

use super::mail::Mail;
use super::text::Violation;
use crate::model::certificate::PresentedName;
use crate::model::inbound::{CertificateRequirement, TlsRequirement, in_ranges};
use crate::model::requirement::TlsVersion;
use crate::model::{Inbound, PatternSet};

/// Tells the time.
pub(super) type Clock<'c> = &'c dyn Fn() -> Timestamp;

/// What a mail does not show of what a connector requires, in the order of the parts.
pub(super) fn violations(connector: &Inbound, mail: &Mail<'_>, now: Clock<'_>) -> Vec<Violation> {
    let require = &connector.require;
    let mut found = Vec::new();
    if require.needs_tls() && mail.tls_version.is_empty() {
        found.push(Violation::NoTls);
    } else {
        found.extend(require.tls.and_then(|wanted| tls_violation(wanted, mail.tls_version)));
        found
            .extend(require.certificate.as_ref().and_then(|wanted| certificate_violation(wanted, mail, now)));
    }
    if let Some(ranges) = &require.addresses
        && !mail.client().is_some_and(|client| in_ranges(ranges, client))
    {
        found.push(Violation::OtherAddress);
    }
    found
}

fn tls_violation(wanted: TlsRequirement, presented: &[u8]) -> Option<Violation> {
    let TlsRequirement::AtLeast(wanted) = wanted else {
        return None;
    };
    let presented = std::str::from_utf8(presented).ok().and_then(TlsVersion::from_word);
    // A version that we do not know may be any version.
    if presented.is_some_and(|version| version >= wanted) {
        None
    } else {
        Some(Violation::OldTls { wanted, presented })
    }
}

/// A certificate satisfies in one of two ways: a trusted chain with a name, or by being
/// registered with a name of its own and within its dates.
fn certificate_violation(
    wanted: &CertificateRequirement,
    mail: &Mail<'_>,
    now: Clock<'_>,
) -> Option<Violation> {
    let presented = &mail.certificate;
    if !presented.is_presented() {
        return Some(Violation::NoCertificate);
    }
    // Where none is registered, nothing is compared with them.
    let (digests, other_digest) =
        if wanted.registered.is_empty() { Default::default() } else { presented.digests() };
    let registered =
        wanted.registered.iter().filter(|registered| digests.iter().any(|digest| registered.has(digest)));
    let mut dates = None;
    let mut other_name = None;
    for registered in registered {
        let certificate = &registered.certificate;
        if certificate.valid_at(now()).is_err() {
            dates = Some(Violation::RegisteredDates);
        } else if wanted.names.is_none()
            || certificate.registered_identities().iter().any(|name| wanted.accepts_name(name))
        {
            return None;
        } else {
            other_name =
                certificate.registered_identities().first().map(|name| name_violation(wanted, Some(name)));
        }
    }
    if (wanted.names.is_some() || wanted.issuers.is_some()) && presented.is_trusted() {
        return trusted_violation(wanted, mail);
    }
    Some(dates.or(other_name).unwrap_or(if other_digest && !wanted.registered.is_empty() {
        Violation::OtherDigest
    } else {
        Violation::Untrusted { registered: !wanted.registered.is_empty() }
    }))
}

fn trusted_violation(wanted: &CertificateRequirement, mail: &Mail<'_>) -> Option<Violation> {
    let text = |value| std::str::from_utf8(value).ok();
    if let Some(issuers) = &wanted.issuers
        && !text(mail.certificate.issuer).is_some_and(|issuer| issuers.contains(issuer))
    {
        return Some(Violation::OtherIssuer);
    }
    wanted.names.as_ref()?;
    let common_name = text(mail.certificate.common_name).and_then(PresentedName::of_common_name);
    let names = || common_name.iter().chain(mail.certificate.alternative_names);
    if names().any(|name| wanted.accepts_name(name)) {
        return None;
    }
    Some(name_violation(wanted, names().next()))
}

fn name_violation(wanted: &CertificateRequirement, presented: Option<&PresentedName>) -> Violation {
    let wanted = wanted.names.as_ref().map(PatternSet::in_few_words).unwrap_or_default();
    match presented {
        None => Violation::NoName { wanted },
        Some(PresentedName::Exact(name)) => Violation::OtherName { presented: name.clone(), wanted },
        Some(PresentedName::Wildcard(base)) => {
            Violation::OtherName { presented: format!("*.{base}"), wanted }
        }
    }
}
