//! Which lists of domains are about a connector.

use super::*;

const LISTS: &str = "hostlist relay_from_hosts";

/// What Debian's router for hubs has.
const HUBBED: &str = "${if exists{/etc/hubs}{partial-lsearch;/etc/hubs}fail}";

/// Places of the findings where these are our own domains, and a router behind all others sends mail for some away.
fn sent(outbound: &str, local: &str, domains: &str, missing: &[&str]) -> Vec<String> {
    let lists = format!(
        "domainlist local_domains = {local}\ndomainlist relayed = b.example : a.example\ndomainlist none =\n{LISTS}"
    );
    let last = "\ndnslookup router:\n";
    let hub =
        format!("\nhub router:\ndriver = manualroute\ndomains = {domains}\ntransport = remote_smtp\n{last}");
    let found = examined(&[(&lists, LISTS), (&hub, last)], &[outbound], missing).into_iter();
    found.map(|finding| finding.place).collect()
}

#[test]
fn a_domain_among_our_own_stays_here() {
    let of = |local: &str, domains: &str| sent("encrypt of a.example c.example", local, domains, &[]);
    for domains in [
        "+local_domains",
        "a.example",
        "*.example",
        "+relayed",
        "lsearch;/etc/hubs",
        "",
        HUBBED,
        "! b.example",
        "+unknown",
    ] {
        assert_eq!(of("@ : a.example", domains), ["domainlist local_domains = @ : a.example"], "{domains}");
    }
    for domains in ["b.example", "! +local_domains : *", "! a.example : *", "+none", "! +relayed", "*.org"] {
        assert_eq!(of("@ : a.example", domains), [""; 0], "{domains}");
    }
    // Every name is looked at, also one of a list within the list.
    for local in ["a.example : c.example", "c.example : a.example", "c.example : +relayed"] {
        assert_eq!(of(local, "a.example"), [format!("domainlist local_domains = {local}")], "{local}");
    }
    assert_eq!(of("! a.example : a.example", "+local_domains"), [""; 0]);
    assert_eq!(of("@ : ours.example : lsearch;/etc/x", "+local_domains"), [""; 0]);
}

/// Contrib's router would ask about what a list or a table of the site leaves out.
#[test]
fn what_a_list_leaves_out_is_left_to_people() {
    let asks = "driver = redirect\ndomains = ! +local_domains\n\nwait";
    let config = "begin acl\n";
    let of = |domains: &str| {
        let limited = asks.replace("! +local_domains", domains);
        let parts = format!(
            "domainlist none =\ndomainlist some = b.example : a.example\ndomainlist both = +none : +some\n\
             # 1 \"/etc/exim4/connectord/routers\"\nbegin routers\n  ask:\n# 1 \"/etc/exim4/x\"\n{config}"
        );
        let found =
            examined(&[(&limited, asks), (&parts, config)], &["encrypt of a.example"], &[]).into_iter();
        let asked = format!("router ask: domains = {domains}");
        found.filter(|finding| finding.place == asked).map(|finding| finding.mend.len()).collect::<Vec<_>>()
    };
    for (domains, expected) in [
        ("! +local_domains : ! a.example", vec![3]),
        ("! +local_domains : ! b.example", vec![]),
        ("other.example", vec![3]),
        ("! +local_domains : ! +none", vec![]),
        ("! +local_domains : ! +some", vec![0]),
        ("! +local_domains : ! +both", vec![0]),
        ("! +local_domains : ! +unknown", vec![0]),
        ("! +local_domains : ! lsearch;/etc/x", vec![0]),
        ("+some", vec![0]),
    ] {
        assert_eq!(of(domains), expected, "{domains}");
    }
}

#[test]
fn a_connector_for_all_is_not_about_our_own() {
    for local in ["@ : localhost", "@ : a.example"] {
        assert_eq!(sent("encrypt of *", local, HUBBED, &[]), [""; 0], "{local}");
    }
    assert_eq!(sent("encrypt of *.example", "b.example", HUBBED, &[]).len(), 1);
    assert_eq!(sent("encrypt of a.example, except a.example", "a.example", HUBBED, &[]), [""; 0]);
}

#[test]
fn a_table_that_is_not_there_has_nobody() {
    let of = |missing: &[&str]| sent("encrypt of a.example", "a.example", HUBBED, missing).len();
    assert_eq!((of(&[]), of(&["/etc/hubs"]), of(&["/etc/others"])), (1, 0, 1));
}
