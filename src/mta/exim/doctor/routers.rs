//! The way of mail that leaves: who is asked first, and what comes of the answer.

use super::kinds::{ANSWER_UNCHECKED, ROUTER_BEFORE, ROUTERS_MISSING};
use super::{Patient, finding};
use crate::model::Outbound;
use crate::model::domain::normalise;
use crate::mta::exim::lists::items;
use crate::mta::exim::question::Question;
use crate::mta::exim::settings::Driver;
use crate::mta::finding::Finding;

/// What stands for the answer's word in the name of a transport.
const WORD: &str = "${extract{tls}{$address_data}}";

/// How a condition sees that an answer is whole.
const IS_WHOLE: &str = "eq{${extract{end}{$address_data}}}{ok}";

/// The place of the router that asks.
pub(super) fn asking(routers: &[Driver]) -> Option<usize> {
    routers.iter().position(|router| Question::is_in(router.option("address_data"), "out"))
}

pub(super) fn routers(patient: &Patient<'_>) -> Vec<Finding> {
    let routers = &patient.settings.routers;
    let Some((before, [asking, behind @ ..])) = asking(routers).and_then(|at| routers.split_at_checked(at))
    else {
        let message = "no router asks the daemon: no connector is in force";
        let mend = patient.include("routers", "routers");
        let place = "begin routers".to_owned();
        return patient.leaving(&ROUTERS_MISSING, |_| true, message, place, mend).into_iter().collect();
    };
    let mut findings: Vec<Finding> =
        before.iter().filter_map(|router| stands_before(patient, router)).collect();
    findings.extend(unchecked(patient, asking, behind));
    findings
}

/// Names of the transports that the answer chooses among, with `word` for the answer's word.
pub(super) fn chosen<'p>(patient: &Patient<'p>, word: &str) -> Vec<&'p Driver> {
    let settings = patient.settings;
    let at = asking(&settings.routers).unwrap_or(settings.routers.len());
    let mut transports: Vec<&Driver> = Vec::new();
    for router in settings.routers.iter().skip(at) {
        let name = router.option("transport");
        let transport = settings.transport(&name.replace(WORD, word)).filter(|_| name.contains(WORD));
        if let Some(transport) =
            transport.filter(|new| !transports.iter().any(|known| known.name == new.name))
        {
            transports.push(transport);
        }
    }
    transports
}

/// A router that takes mail before anybody asks. A `redirect` makes other addresses, and those are asked about.
fn stands_before(patient: &Patient<'_>, router: &Driver) -> Option<Finding> {
    let sends = match router.option("driver") {
        "redirect" => false,
        "queryprogram" => true,
        _ => is_smtp(patient, router.option("transport")),
    };
    if !sends || router.option("verify_only") == "true" {
        return None;
    }
    let domains = router.option("domains");
    let connectors = patient.outbound().filter(|connector| may_take(patient, domains, connector));
    finding(
        &ROUTER_BEFORE,
        connectors.map(|connector| connector.name.as_str()),
        "this router comes before the one that asks the daemon, and what it takes is not asked about",
        format!("router {}: domains = {domains}", router.name),
        patient.routers_first(),
    )
}

/// Whether a transport speaks SMTP; one that is known at delivery only may.
fn is_smtp(patient: &Patient<'_>, name: &str) -> bool {
    let transport = patient.settings.transport(name);
    transport.is_none_or(|found| found.option("driver") == "smtp" && found.option("protocol") != "lmtp")
}

/// Whether a domain of the connector can be in a list of domains.
fn may_take(patient: &Patient<'_>, domains: &str, connector: &Outbound) -> bool {
    let items = items(domains);
    let own = &patient.agreements.mta.own_domains;
    let is_positive = |item: &&String| !item.starts_with('!');
    if items.iter().filter(is_positive).count() == 0 {
        return true;
    }
    items.iter().filter(is_positive).any(|item| match item.as_str() {
        "@" | "+local_domains" => false,
        name if name.contains(['*', '$', ';', '^', '+', '@', '/', '(', '[', '!']) => true,
        name => normalise(name).is_ok_and(|name| !own.covers_name(&name) && connector.domains.covers(&name)),
    })
}

/// Whether what comes after the question stops what is no whole answer.
fn unchecked(patient: &Patient<'_>, asking: &Driver, behind: &[Driver]) -> Option<Finding> {
    let is_about_all = |router: &&Driver| ["", asking.option("domains")].contains(&router.option("domains"));
    let waits = |router: &&Driver| {
        router.option("driver") == "redirect"
            && router.option("allow_defer") == "true"
            && router.option("data").starts_with(":defer:")
    };
    let first: Vec<&Driver> =
        behind.iter().take_while(|router| router.option("driver") == "redirect").filter(waits).collect();
    let is_whole = |router: &&&Driver| router.option("condition").contains(IS_WHOLE) && is_about_all(router);
    if first.iter().any(|router| is_whole(&router)) {
        return None;
    }
    let place = match first.first() {
        Some(router) => format!("router {}: condition = {}", router.name, router.option("condition")),
        None => format!("router {}: address_data = {}", asking.name, asking.option("address_data")),
    };
    let message = "what is left of an answer that was cut short counts: no router behind this looks for end=ok, and defers";
    let mend = patient.restore_part("routers", &asking.name, "routers");
    patient.leaving(&ANSWER_UNCHECKED, |_| true, message, place, mend)
}
