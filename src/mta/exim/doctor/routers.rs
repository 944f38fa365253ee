//! The way of mail that leaves: who is asked first, and what comes of the answer.

use super::domains::{LOCAL, left_out, may_be, may_take, may_take_name, taken_for_ours};
use super::kinds::{ANSWER_UNCHECKED, DOMAIN_MOVED, OTHER_HOST, ROUTER_BEFORE, ROUTERS_MISSING};
use super::{Patient, finding};
use crate::model::Outbound;
use crate::model::domain::normalise;
use crate::mta::exim::lists::{items, takes_the_rest};
use crate::mta::exim::question::Question;
use crate::mta::exim::settings::Driver;
use crate::mta::finding::Finding;

/// What stands for the answer's word in the name of a transport.
const WORD: &str = "${extract{tls}{$address_data}}";

/// What is so when the answer is that there is no connector.
const WITHOUT_CONNECTOR: &str = "${if eq{${extract{tls}{$address_data}}}{default}}";

/// What is so when there is one.
const WITH_CONNECTOR: &str = "${if !eq{${extract{tls}{$address_data}}}{default}}";

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
    findings.extend(leads_past(patient, before, behind));
    findings.extend(is_for_some(patient, asking));
    findings.extend(is_taken_for_ours(patient, asking));
    findings.extend(goes_on(patient, asking, behind));
    findings.extend(moves(patient, before, asking, behind));
    findings.extend(behind.iter().filter_map(|router| falls_back(patient, router)));
    findings.extend(behind.iter().filter_map(|router| leads_elsewhere(patient, router)));
    match behind.iter().rposition(is_chosen_by_answer) {
        Some(last) => {
            let others = behind.iter().take(last).filter(|router| !is_chosen_by_answer(router));
            findings.extend(others.filter_map(|router| stands_between(patient, router)));
        }
        None => {
            let message = "no router behind this hands mail to the transport that the answer names: no connector is in force";
            let place = format!("router {}: address_data = {}", asking.name, asking.option("address_data"));
            let mend = patient.restore_part("routers", &asking.name, "routers");
            findings.extend(patient.leaving(&ROUTERS_MISSING, |_| true, message, place, mend));
        }
    }
    findings.extend(unchecked(patient, asking, behind));
    findings
}

/// Whether the answer chooses the transport of a router.
pub(super) fn is_chosen_by_answer(router: &Driver) -> bool {
    router.option("transport").contains(WORD)
}

/// An address that a router makes, or passes on, begins behind the question. What it is then is not known here.
fn leads_past(patient: &Patient<'_>, before: &[Driver], behind: &[Driver]) -> Vec<Finding> {
    let is_behind = |name: &str| behind.iter().any(|router| router.name == name);
    let everywhere = before.iter().chain(behind).map(|router| (router, "redirect_router"));
    let passing = everywhere
        .chain(before.iter().map(|router| (router, "pass_router")))
        .filter(|(router, option)| is_behind(router.option(option)));
    // Behind the question there is still the last router that obeys the answer, which nobody may leave out.
    let (obeying, after) = behind
        .split_at_checked(behind.iter().rposition(is_chosen_by_answer).unwrap_or(0))
        .unwrap_or((behind, &[]));
    let is_after = |name: &str| after.iter().skip(1).any(|router| router.name == name);
    let leaving_out = obeying.iter().filter(|router| {
        router.option("condition") != WITHOUT_CONNECTOR
            && passes(router)
            && is_after(router.option("pass_router"))
    });
    let passing = passing.chain(leaving_out.map(|router| (router, "pass_router")));
    let found = passing.filter_map(|(router, option)| {
        let place = format!("router {}: {option} = {}", router.name, router.option(option));
        let message = format!(
            "addresses go on behind the router that asks the daemon, and are not asked about; without {option} they are"
        );
        patient.leaving(&ROUTER_BEFORE, |_| true, &message, place, Vec::new())
    });
    found.collect()
}

/// The router that asks is about some mail, or some domains, only.
fn is_for_some(patient: &Patient<'_>, asking: &Driver) -> Option<Finding> {
    let message = "the daemon is asked only where this applies";
    let place = |option: &str| format!("router {}: {option} = {}", asking.name, asking.option(option));
    let mend = || patient.restore_part("routers", &asking.name, "routers");
    let limits = ["condition", "senders", "local_parts", "require_files"];
    if let Some(option) = limits.into_iter().find(|option| !asking.option(option).is_empty()) {
        return patient.leaving(&ROUTERS_MISSING, |_| true, message, place(option), mend());
    }
    let domains = asking.option("domains");
    let (items, left_out) = (items(domains), left_out(patient, domains));
    // What a list of other names leaves out is looked at by these names, as of a router that comes before.
    let leaves_out = |connector: &Outbound| {
        let is_open =
            items.is_empty() || takes_the_rest(&items) || items.last().is_some_and(|item| item == "*");
        !is_open || left_out.iter().any(|item| may_be(patient, item, connector))
    };
    // A list or a table is there for mail that contrib's router would ask about as well, and maybe must not.
    let is_plain = |item: &String| {
        let item = item.trim_start_matches(['!', ' ']);
        ["*", "@", "+local_domains"].contains(&item) || normalise(item).is_ok()
    };
    let mend = if items.iter().all(is_plain) { mend() } else { Vec::new() };
    patient.leaving(&ROUTERS_MISSING, leaves_out, message, place("domains"), mend)
}

/// What makes a router one for some mail only (route.c:check_router_conditions).
const LIMITS: [&str; 6] =
    ["senders", "local_parts", "require_files", "local_part_prefix", "local_part_suffix", "check_local_user"];

/// Whether a router is for less mail than the one that asks: of that it is told that it is for some only.
fn is_limited(asking: &Driver, router: &Driver) -> bool {
    LIMITS.iter().any(|name| !["", "false", asking.option(name)].contains(&router.option(name)))
}

/// A router that lets nothing go on that the daemon has a connector for.
fn is_last(asking: &Driver, router: &Driver) -> bool {
    // `unseen` may be expanded: what is known in a delivery only counts as on.
    let is_on = |name: &str| !["", "false"].contains(&router.option(name));
    let is_for_some = is_limited(asking, router);
    is_chosen_by_answer(router)
        && router.option("more") == "false"
        && !is_on("unseen")
        && !is_on("verify_only")
        && !passes(router)
        && !is_for_some
        && ["", WITH_CONNECTOR].contains(&router.option("condition"))
        && ["", asking.option("domains")].contains(&router.option("domains"))
}

/// Whether a router hands addresses on to another one (its `pass_router`, or the next).
fn passes(router: &Driver) -> bool {
    ["self", "host_find_failed", "host_all_ignored"].iter().any(|name| router.option(name) == "pass")
        || router.option("pass_on_timeout") == "true"
        || router.option("driver") == "queryprogram"
}

/// Mail of a connector that the routers which obey the answer decline, such as that for a domain which the DNS does not
/// know, and that another router takes.
fn goes_on(patient: &Patient<'_>, asking: &Driver, behind: &[Driver]) -> Option<Finding> {
    if behind.iter().any(|router| is_last(asking, router)) {
        return None;
    }
    let (last, after) =
        behind.split_at_checked(behind.iter().rposition(is_chosen_by_answer)?)?.1.split_first()?;
    let others = || {
        after
            .iter()
            .filter(|router| router.option("condition") != WITHOUT_CONNECTOR && sends(patient, router))
    };
    let takes =
        |connector: &Outbound| others().any(|router| may_take(patient, router.option("domains"), connector));
    let message = "what this and those before it do not deliver goes on to the site's own routers: the last of ours has \
                   `no_more`, no `unseen` or `pass_on_timeout`, and is for every answer but tls=default";
    let place = format!("router {}: more = {}", last.name, last.option("more"));
    let mend = patient.restore_part("routers", &last.name, "routers");
    patient.leaving(&ROUTERS_MISSING, takes, message, place, mend)
}

/// Where dnslookup is told of a chain of aliases it begins anew with another domain of it (dnslookup.c, `rewritten`), and
/// that is asked about as if somebody had written it.
fn moves(patient: &Patient<'_>, before: &[Driver], asking: &Driver, behind: &[Driver]) -> Option<Finding> {
    const MOVED: [&str; 3] = [
        "def:parent_domain",
        "eq{${extract{end}{$address_data}}}{ok}",
        "!eq{${extract{tls}{$address_data}}}{default}",
    ];
    let stops = |router: &&Driver| {
        let condition = router.option("condition");
        defers(router)
            && MOVED.iter().all(|part| condition.contains(part))
            && condition.starts_with("${if and{{")
            && router.option("domains").is_empty()
            && !is_limited(asking, router)
    };
    if before.iter().any(|router| stops(&router)) {
        return None;
    }
    let looks_up = |router: &&Driver| is_chosen_by_answer(router) && router.option("driver") == "dnslookup";
    let router = behind.iter().find(looks_up)?;
    let message = "when the DNS says that a partner's domain is an alias of an alias, this begins anew with another domain: \
                   no router before the question defers an address whose parent has a connector";
    let place = format!("router {}: driver = dnslookup", router.name);
    let mend = patient.restore_part("routers", &asking.name, "routers");
    patient.leaving(&DOMAIN_MOVED, |_| true, message, place, mend)
}

/// Other hosts, where those of the partner do not take the mail.
fn falls_back(patient: &Patient<'_>, router: &Driver) -> Option<Finding> {
    const OPTION: &str = "fallback_hosts";
    if router.option(OPTION).is_empty() || !is_chosen_by_answer(router) {
        return None;
    }
    let message = "mail that a connector stops goes to these hosts, which are not the partner's";
    let place = format!("router {}: {OPTION} = {}", router.name, router.option(OPTION));
    let mend = patient.restore_part("routers", &router.name, "routers");
    patient.leaving(&OTHER_HOST, |_| true, message, place, mend)
}

/// Hosts that are neither the domain's own nor those of the answer.
fn leads_elsewhere(patient: &Patient<'_>, router: &Driver) -> Option<Finding> {
    const KNOWN: [&str; 3] = ["$domain", "${domain}", "${extract{hosts}{$address_data}"];
    let is_fixed = |option: &&str| {
        let hosts = router.option(option);
        !hosts.is_empty() && !KNOWN.iter().any(|known| hosts.contains(known))
    };
    let option = ["route_data", "route_list"].into_iter().find(is_fixed)?;
    if !is_chosen_by_answer(router) || router.option("driver") != "manualroute" {
        return None;
    }
    let message =
        "mail of connectors goes to these hosts: neither the domain nor `hosts=` of the answer says where";
    let place = format!("router {}: {option} = {}", router.name, router.option(option));
    let mend = patient.restore_part("routers", &router.name, "routers");
    patient.leaving(&OTHER_HOST, |_| true, message, place, mend)
}

/// A connector's domain that is among the local ones, which the daemon is not asked about, where a router sends it away.
fn is_taken_for_ours(patient: &Patient<'_>, asking: &Driver) -> Option<Finding> {
    let excludes = items(asking.option("domains"))
        .iter()
        .any(|item| item.strip_prefix('!').is_some_and(|item| item.trim() == "+local_domains"));
    let list = patient.settings.written.domain_list(LOCAL).filter(|_| excludes)?;
    let takes = |router: &Driver, name: &str| {
        sends(patient, router)
            && !is_chosen_by_answer(router)
            && may_take_name(patient, router.option("domains"), name)
    };
    let is_sent = |connector: &Outbound| {
        let names = taken_for_ours(patient, list, connector);
        names.iter().any(|name| patient.settings.routers.iter().any(|router| takes(router, name)))
    };
    let message = "the daemon is not asked about these domains, and a router may send their mail away; what is ours is \
                   written into own_domains of [mta]";
    patient.leaving(&ROUTERS_MISSING, is_sent, message, format!("domainlist {LOCAL} = {list}"), Vec::new())
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

/// A router that takes mail behind the question, before the answer is obeyed; unless it is for those without a connector.
fn stands_between(patient: &Patient<'_>, router: &Driver) -> Option<Finding> {
    if router.option("condition") == WITHOUT_CONNECTOR || !sends(patient, router) {
        return None;
    }
    let domains = router.option("domains");
    patient.leaving(
        &ROUTER_BEFORE,
        |connector| may_take(patient, domains, connector),
        "this router comes before those that obey the daemon's answer, and takes mail against it",
        format!("router {}: domains = {domains}", router.name),
        patient.restore_part("routers", &router.name, "routers"),
    )
}

/// Whether a router may hand mail to others.
fn sends(patient: &Patient<'_>, router: &Driver) -> bool {
    let sends = match router.option("driver") {
        "redirect" => false,
        "queryprogram" => true,
        _ => is_smtp(patient, router.option("transport")),
    };
    sends && router.option("verify_only") != "true"
}

/// A router that takes mail before anybody asks. A `redirect` makes other addresses, and those are asked about.
fn stands_before(patient: &Patient<'_>, router: &Driver) -> Option<Finding> {
    if !sends(patient, router) {
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

/// Whether a condition is one for all answers that are not whole, as contrib has it: that they are is all that is asked,
/// or one of the things that must be so, or else it is yes.
fn is_waiting_unless_whole(condition: &str) -> bool {
    const OTHERWISE: &str = "{no}{yes}}";
    let Some(inside) = condition.strip_prefix("${if ").and_then(|rest| rest.strip_suffix(OTHERWISE)) else {
        return condition == format!("${{if !{IS_WHOLE}}}");
    };
    let among = inside.strip_prefix("and{").and_then(|rest| rest.strip_suffix('}'));
    let is_plain = |all: &str| !["!", "or{", "or ", OTHERWISE].iter().any(|other| all.contains(other));
    inside == IS_WHOLE || among.is_some_and(|all| all.contains(&format!("{{{IS_WHOLE}}}")) && is_plain(all))
}

/// Whether a router keeps what comes to it.
fn defers(router: &Driver) -> bool {
    router.option("driver") == "redirect"
        && router.option("allow_defer") == "true"
        && router.option("data").starts_with(":defer:")
}

/// Whether what comes after the question stops what is no whole answer.
fn unchecked(patient: &Patient<'_>, asking: &Driver, behind: &[Driver]) -> Option<Finding> {
    let is_about_all = |router: &&Driver| ["", asking.option("domains")].contains(&router.option("domains"));
    let redirects = behind.iter().take_while(|router| router.option("driver") == "redirect");
    let first: Vec<&Driver> = redirects.filter(|router| defers(router)).collect();
    let is_whole =
        |router: &&&Driver| is_waiting_unless_whole(router.option("condition")) && is_about_all(router);
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
