//! Main options that mail which comes in depends on, and what is logged.

use super::Patient;
use super::acls::{DEPTH, is_exempt, network};
use super::finding;
use super::kinds::{CLIENT_CERTIFICATE, LOG, NO_STARTTLS, PROXY};
use crate::mta::exim::lists::{items, takes_the_rest};
use crate::mta::finding::Finding;

pub(super) fn server(patient: &Patient<'_>) -> Vec<Finding> {
    [starttls(patient), client_certificate(patient), proxy(patient), log(patient)]
        .into_iter()
        .flatten()
        .collect()
}

/// Whoever is in this list is anybody, at any address (smtp_in.c, "Proxy Protocol").
fn proxy(patient: &Patient<'_>) -> Option<Finding> {
    const OPTION: &str = "hosts_proxy";
    let value = patient.settings.main(OPTION);
    if are_single(patient, value, DEPTH) {
        return None;
    }
    let message = "these hosts may say that they are at any address, and no connector stops them: only the addresses of \
                   proxies belong here; without them mail of a proxy is refused";
    let mend = patient.without_proxies();
    patient.coming(&PROXY, |_| true, message, format!("{OPTION} = {value}"), mend)
}

/// Whether a list of hosts has only single addresses, our own, and those of hosts that are not judged at any address.
fn are_single(patient: &Patient<'_>, list: &str, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let items = items(list);
    let is_single = |item: &String| match item.strip_prefix('+') {
        Some(name) => {
            let list = patient.settings.written.host_list(name);
            list.is_some_and(|list| are_single(patient, list, depth))
        }
        None => {
            item.is_empty()
                || item.starts_with('!')
                || item == "@[]"
                || network(item).is_some_and(|network| {
                    network.prefix_len() == network.max_prefix_len() || is_exempt(patient, &network)
                })
        }
    };
    items.iter().all(is_single) && !takes_the_rest(&items)
}

fn starttls(patient: &Patient<'_>) -> Option<Finding> {
    const OPTION: &str = "tls_advertise_hosts";
    let of = |name: &'static str| (name, patient.settings.main(name));
    let (name, value, message, mend) = if patient.settings.main(OPTION).is_empty() {
        // Without it Debian's configuration takes no notice of the other macro.
        let mend = if patient.settings.written.defines("MAIN_TLS_ENABLE") {
            patient.set_macros(&[("MAIN_TLS_ADVERTISE_HOSTS", "*")])
        } else {
            Vec::new()
        };
        (OPTION, "", "STARTTLS is not offered, and mail of partners who have to use it is refused", mend)
    } else {
        let files = [of("tls_certificate"), of("tls_privatekey")];
        let (name, file) = files.into_iter().find(|(_, file)| patient.host.missing.contains(*file))?;
        let message =
            "this file is not there: STARTTLS fails, and mail of partners who have to use it is refused";
        (name, file, message, Vec::new())
    };
    let place = format!("{name} = {value}");
    patient.coming(&NO_STARTTLS, |connector| connector.require.needs_tls(), message, place, mend)
}

fn client_certificate(patient: &Patient<'_>) -> Option<Finding> {
    const OPTION: &str = "tls_try_verify_hosts";
    let settings = patient.settings;
    if [OPTION, "tls_verify_hosts"].iter().any(|name| !settings.main(name).is_empty()) {
        return None;
    }
    // Without it Debian's configuration takes no notice of the other macro.
    let (message, mend) = if settings.written.defines("MAIN_TLS_ENABLE") {
        let message = "no client is asked for the certificate that has to be shown";
        (message, patient.set_macros(&[("MAIN_TLS_TRY_VERIFY_HOSTS", "*")]))
    } else {
        let message = "no client is asked for the certificate that has to be shown: this should be `*` (with Debian's \
                       configuration: MAIN_TLS_ENABLE = yes, and a certificate for it)";
        (message, Vec::new())
    };
    let needs = |connector: &crate::model::Inbound| connector.require.certificate.is_some();
    patient.coming(&CLIENT_CERTIFICATE, needs, message, format!("{OPTION} = "), mend)
}

/// What says over which TLS a message went, `X=` and `CV=`; Exim's default has both.
const EVIDENCE: [&str; 2] = ["tls_cipher", "tls_certificate_verified"];

fn log(patient: &Patient<'_>) -> Option<Finding> {
    let selector = patient.settings.main("log_selector");
    let missing: Vec<&str> = EVIDENCE.into_iter().filter(|name| !is_logged(selector, name)).collect();
    if missing.is_empty() {
        return None;
    }
    let message = format!("the main log does not say: {}", missing.join(", "));
    let right = missing.iter().fold(selector.to_owned(), |all, name| format!("{all} +{name}"));
    let mend = patient.set_macros(&[("MAIN_LOG_SELECTOR", right.trim())]);
    let outbound = patient.outbound().map(|connector| connector.name.as_str());
    let connectors = outbound.chain(patient.inbound().map(|connector| connector.name.as_str()));
    finding(&LOG, connectors, &message, format!("log_selector = {selector}"), mend)
}

/// Whether something is logged that is by default: of `+name`, `-name` and `+all` the last counts
/// (readconf.c:decode_bits).
fn is_logged(selector: &str, name: &str) -> bool {
    let mut is_on = true;
    let mut rest = selector;
    while let Some(at) = rest.find(['+', '-']) {
        let (_, from) = rest.split_at(at);
        let is_added = from.starts_with('+');
        let word = from.trim_start_matches(['+', '-']).trim_start();
        let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len());
        let (word, behind) = word.split_at(end);
        if word == name || word == "all" {
            is_on = is_added;
        }
        rest = behind;
    }
    is_on
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_about_a_selector_counts() {
        for (selector, expected) in [
            ("", true),
            ("-tls_cipher", false),
            ("-all +tls_cipher", true),
            ("+all-tls_cipher", false),
            ("+ tls_peerdn - tls_cipher", false),
            ("-tls_ciphers", true),
            ("-tls_cipher +all", true),
        ] {
            assert_eq!(is_logged(selector, "tls_cipher"), expected, "{selector}");
        }
    }
}
