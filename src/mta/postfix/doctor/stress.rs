//! An smtpd(8) that has more to do than it can (STRESS_README): whatever hangs on `${stress?...}` is something else then.
//! Anybody can bring that about with as many connections as there may be.

use super::asked::{LISTS, in_full};
use super::inbound::{doors, inbound};
use super::{Finding, Patient};

/// What is wrong then and not otherwise.
pub(super) fn under_stress(patient: &Patient<'_>, otherwise: &[Finding]) -> Vec<Finding> {
    let Some(settings) = patient.settings.stressed() else { return Vec::new() };
    let stressed = Patient { settings, ..*patient };
    // Tables are read once more only where it matters.
    let is_same = doors(patient).zip(doors(&stressed)).all(|(one, other)| {
        LISTS.iter().all(|list| in_full(patient, one, list) == in_full(&stressed, other, list))
            && SETTINGS.iter().all(|name| patient.settings.of(one, name) == settings.of(other, name))
    });
    if is_same {
        return Vec::new();
    }
    let is_known = |finding: &Finding| {
        let place = |finding: &Finding| finding.place.split(" =").next().map(str::to_owned);
        otherwise.iter().any(|known| known.kind == finding.kind && place(known) == place(finding))
    };
    let new = inbound(&stressed).into_iter().filter(|finding| !is_known(finding));
    let told = new.map(|finding| Finding {
        message: format!("while all smtpd(8) are busy (stress = yes): {}", finding.message),
        ..finding
    });
    told.collect()
}

/// Whatever else of an smtpd(8) is looked at.
const SETTINGS: [&str; 8] = [
    "smtpd_authorized_xclient_hosts",
    "smtpd_proxy_filter",
    "mynetworks",
    "smtpd_delay_reject",
    "smtpd_policy_service_default_action",
    "smtpd_tls_ask_ccert",
    "smtpd_tls_fingerprint_digest",
    "smtpd_tls_security_level",
];
