#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::sample::{POLICY, found_of};
use crate::model::Agreements;
use crate::model::PatternSet;
use crate::model::inbound::{CertificateRequirement, Require, TlsRequirement};
use crate::model::sample::{agreements, inbound, patterns};

/// Two partners: one has to use TLS, and one to show a certificate.
pub(super) fn partners() -> Agreements {
    let tls = Require { tls: Some(TlsRequirement::Any), ..Require::default() };
    let shows = Require { certificate: Some(CertificateRequirement::default()), ..Require::default() };
    agreements(Vec::new(), vec![inbound("tls", &["a.example"], tls), inbound("shows", &["b.example"], shows)])
}

#[test]
fn the_daemon_is_asked_before_anybody_permits() {
    let ours = "check_policy_service unix:connectord/policy.sock";
    for (list, expected) in [
        (ours.to_owned(), None),
        (format!("reject_unknown_sender_domain, check_client_access hash:/etc/a {ours}"), None),
        ("Check_Policy_Service { unix:connectord/policy.sock, timeout = 10s }".to_owned(), None),
        (format!("check_policy_service unix:{POLICY}"), Some("postfix-socket-path")),
        // The argument of another restriction is none.
        (format!("check_client_access permit, {ours}"), None),
        // The daemon lets these pass too.
        (format!("permit_mynetworks permit_sasl_authenticated, {ours}"), None),
        (format!("permit_tls_clientcerts, {ours}"), Some("postfix-policy-service-late")),
        (format!("warn_if_reject {ours}"), Some("postfix-policy-service-missing")),
        (format!("warn_if_reject reject_unknown_client_hostname, {ours}"), None),
        (
            "check_policy_service { unix:connectord/policy.sock, default_action=DUNNO }".to_owned(),
            Some("postfix-policy-service-action"),
        ),
        (
            "check_policy_service { unix:connectord/policy.sock { default_action = DUNNO } }".to_owned(),
            Some("postfix-policy-service-action"),
        ),
        // Nobody is asked, and nothing refused.
        (
            format!("check_policy_service {{ unix:{POLICY} default_action=dunno }}"),
            Some("postfix-policy-service-action"),
        ),
        (
            "check_policy_service { unix:connectord/policy.sock timeout=9s default_action=DUNNO }".to_owned(),
            Some("postfix-policy-service-action"),
        ),
        // A number alone permits.
        (
            "check_policy_service { unix:connectord/policy.sock, {default_action = 451} }".to_owned(),
            Some("postfix-policy-service-action"),
        ),
        (
            "check_policy_service { unix:connectord/policy.sock, { default_action = 451 later } }".to_owned(),
            None,
        ),
        (format!("permit_dnswl_client list.example {ours}"), Some("postfix-policy-service-late")),
        ("check_policy_service unix:private/other".to_owned(), Some("postfix-policy-service-missing")),
        (String::new(), Some("postfix-policy-service-missing")),
    ] {
        for name in ["smtpd_recipient_restrictions", "smtpd_data_restrictions"] {
            let found = found_of(&format!("{name} = {list}"), "", &partners());
            let ids: Vec<&str> = found.iter().map(|[id, ..]| id.as_str()).collect();
            assert_eq!(ids, expected.into_iter().collect::<Vec<_>>(), "{name} = {list}");
        }
    }
    // An earlier list will do for RCPT, and none other will for DATA.
    let relay = format!("smtpd_relay_restrictions = {ours}, permit_mynetworks, reject_unauth_destination");
    let without = |name: &str| format!("smtp/inet/{name} = \n");
    assert_eq!(found_of(&relay, &without("smtpd_recipient_restrictions"), &partners()).len(), 0);
    assert_eq!(found_of(&relay, &without("smtpd_data_restrictions"), &partners()).len(), 1);
    let at_once = without("smtpd_recipient_restrictions") + "smtp/inet/smtpd_delay_reject = No\n";
    assert_eq!(found_of(&relay, &at_once, &partners()).len(), 1);
}

/// The lists for client, HELO, sender and relaying.
#[test]
fn the_daemon_in_an_early_list_is_asked_as_it_is_there() {
    let ours = "check_policy_service,unix:connectord/policy.sock";
    let passes = "check_policy_service,{unix:connectord/policy.sock,default_action=DUNNO}";
    let elsewhere = format!("check_policy_service,unix:{POLICY}");
    let nobody = "reject_unauth_destination";
    for (early, late, settings, expected) in [
        (ours, nobody, "", None),
        (ours, passes, "", None),
        (passes, ours, "", None),
        (passes, nobody, "", Some("action: sender")),
        (passes, passes, "", Some("action: sender, action: recipient")),
        // It is asked before there is anything to judge.
        (passes, passes, "smtp/inet/smtpd_delay_reject = no\n", Some("action: recipient")),
        (passes, nobody, "smtp/inet/smtpd_delay_reject = no\n", Some("missing: recipient")),
        (&elsewhere, ours, "", Some("path: sender")),
        (&elsewhere, nobody, "", Some("path: sender")),
        (&elsewhere, ours, "smtp/inet/smtpd_delay_reject = no\n", Some("path: sender")),
        (&format!("permit_tls_clientcerts,{elsewhere}"), ours, "", Some("path: sender")),
        (&format!("permit_tls_clientcerts,{ours}"), ours, "", None),
        (&format!("warn_if_reject,{ours}"), ours, "", None),
    ] {
        let own = format!(
            "smtp/inet/smtpd_sender_restrictions = {early}\nsmtp/inet/smtpd_recipient_restrictions = {late}\n{settings}"
        );
        let found = found_of("relayhost =", &own, &partners());
        let short = |[id, place, ..]: &[String; 4]| {
            let list = place.split(" = ").next().unwrap().strip_suffix("_restrictions").unwrap();
            format!("{}: {}", id.rsplit('-').next().unwrap(), list.rsplit("smtpd_").next().unwrap())
        };
        let found: Vec<String> = found.iter().map(short).collect();
        assert_eq!(found.join(", "), expected.unwrap_or_default(), "{own}");
    }
}

#[test]
fn what_stands_in_a_list_stays_there_behind_the_daemon() {
    let list = "permit_tls_clientcerts, warn_if_reject reject_rbl_client a.example, \
                warn_if_reject check_policy_service unix:connectord/policy.sock, permit";
    let found = found_of(&format!("smtpd_recipient_restrictions = {list}"), "", &partners());
    let [[id, _, names, command]] = &found[..] else { panic!("{found:?}") };
    assert_eq!((id.as_str(), names.as_str()), ("postfix-policy-service-missing", "tls shows"));
    assert_eq!(
        command,
        "postconf -e 'smtpd_recipient_restrictions = check_policy_service unix:connectord/policy.sock, \
         permit_tls_clientcerts, warn_if_reject reject_rbl_client a.example, permit'"
    );
    let own = "smtp/inet/smtpd_recipient_restrictions = permit_tls_clientcerts,reject_unauth_destination\n";
    let found = found_of("relayhost =", own, &partners());
    let [[.., command]] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        command,
        "postconf -P smtp/inet/smtpd_recipient_restrictions=check_policy_service,unix:connectord/policy.sock,\
         permit_tls_clientcerts,reject_unauth_destination"
    );
}

#[test]
fn networks_that_are_not_exempt_are_judged() {
    let list = "smtp/inet/smtpd_recipient_restrictions = permit_mynetworks,check_policy_service,unix:connectord/policy.sock\n";
    for (networks, count) in [
        ("127.0.0.0/8 [::1]/128", 0),
        ("127.0.0.1", 0),
        ("localhost", 0),
        ("127.0.0.0/8 192.0.2.0/24", 1),
        ("127.0.0.0/8, cidr:/etc/postfix/networks", 1),
        ("!192.0.2.1", 1),
    ] {
        assert_eq!(
            found_of(&format!("mynetworks = {networks}"), list, &partners()).len(),
            count,
            "{networks}"
        );
    }
}

#[test]
fn only_an_smtpd_that_lets_strangers_in_is_looked_at() {
    let own = |service: &str, lists: &[(&str, &str)]| -> String {
        lists
            .iter()
            .map(|(name, list)| format!("{service}/inet/smtpd_{name}_restrictions = {list}\n"))
            .collect()
    };
    let of = |main: &str, own: &str| found_of(main, own, &partners()).len();
    for (service, count) in [("smtp", 1), ("submission", 1), ("127.0.0.1:10025", 0)] {
        assert_eq!(of("relayhost =", &own(service, &[("recipient", "permit")])), count, "{service}");
    }
    // Who logs in is no stranger. For one mailbox the lists at RCPT are skipped.
    for (list, count) in [
        ("permit_sasl_authenticated, reject", 0),
        ("permit_mynetworks reject_unknown_client_hostname Permit_Tls_Clientcerts, Reject", 0),
        ("check_client_access hash:/etc/postfix/known, reject", 0),
        ("check_policy_service inet:127.0.0.1:10031, permit_sasl_authenticated, reject", 0),
        ("check_sender_access inline:{a.example=DUNNO}, permit_sasl_authenticated, reject", 0),
        ("check_sender_access inline:{a.example=OK}, reject", 1),
        ("check_client_access inline:{192.0.2.1=OK}, reject", 1),
        ("warn_if_reject reject", 1),
        ("permit_auth_destination, reject", 1),
    ] {
        let lists = [("relay", list), ("recipient", "")];
        assert_eq!(of("relayhost =", &own("submission", &lists)), count, "{list}");
        let at_data = [&lists[..], &[("data", "")]].concat();
        assert_eq!(of("relayhost =", &own("submission", &at_data)), count + 1, "{list}");
        let at_data = [&lists[..], &[("data", "permit_sasl_authenticated, reject")]].concat();
        assert_eq!(of("relayhost =", &own("submission", &at_data)), count, "{list}");
        // At port 25 nobody who knows strangers by their address is enough.
        assert_eq!(of("relayhost =", &own("smtp", &lists)), 1, "{list}");
    }
    let everywhere = own("submission", &[("recipient", "permit")]);
    assert_eq!(of("inet_interfaces = loopback-only", &everywhere), 0);
    assert_eq!(of("inet_interfaces = 127.0.0.1, 192.0.2.1", &everywhere), 1);
}

#[test]
fn what_partners_need_is_offered_and_asked_for() {
    for (main, id, names) in [
        ("smtpd_policy_service_default_action = DUNNO", "postfix-policy-service-action", "tls shows"),
        // A number alone permits.
        ("smtpd_policy_service_default_action = 554", "postfix-policy-service-action", "tls shows"),
        ("smtpd_tls_security_level =", "postfix-no-starttls", "tls shows"),
        ("smtpd_tls_ask_ccert = no", "postfix-client-certificate", "shows"),
    ] {
        let found = found_of(main, "", &partners());
        let [[found, _, named, _]] = &found[..] else { panic!("{main}: {found:?}") };
        assert_eq!((found.as_str(), named.as_str()), (id, names));
    }
    for good in [
        "smtpd_policy_service_default_action = defer_if_permit",
        "smtpd_policy_service_default_action = 554 no",
    ] {
        assert_eq!(found_of(good, "", &partners()).len(), 0, "{good}");
    }
    // What is said for other policy services.
    let says = "check_policy_service,{unix:connectord/policy.sock,default_action=DEFER}";
    let own = |lists: &[&str]| -> String {
        let both = |list: &&str| {
            ["smtp", "submission"]
                .map(|name| format!("{name}/inet/smtpd_{list}_restrictions = {says}\n"))
                .concat()
        };
        lists.iter().map(both).collect()
    };
    let count = |own: &str| found_of("smtpd_policy_service_default_action = OK", own, &partners()).len();
    assert_eq!(count(&own(&["recipient", "data"])), 0);
    assert_eq!(count(&own(&["recipient"])), 1);
    // The list that does not ask will.
    assert_eq!(count(&format!("{}smtp/inet/smtpd_data_restrictions = \n", own(&["recipient"]))), 2);
    // Registered certificates are what is known by a digest.
    assert_eq!(found_of("smtpd_tls_fingerprint_digest = md5", "", &partners()).len(), 0);
}

/// What is found when this stands before the daemon in one of its lists.
fn found_before(list: &str, name: &str, all: &Agreements) -> Option<String> {
    let own = format!("smtp/inet/{name} = {list},check_policy_service,unix:connectord/policy.sock\n");
    let found = found_of("smtpd_restriction_classes = insiders, sealed, asks", &(own + CLASSES), all);
    assert!(found.len() < 2, "{found:?}");
    found.into_iter().next().map(|[id, _, names, command]| {
        let first = format!("postconf -P smtp/inet/{name}=check_policy_service,unix:connectord/policy.sock,");
        // In master.cf a value has no blanks.
        let is_mended = command.replace('\'', "").starts_with(&first);
        assert!(is_mended || command.is_empty() && list.contains('{'), "{list}: {command}");
        format!("{} {names}", id.strip_prefix("postfix-policy-service-").unwrap_or(&id))
    })
}

const CLASSES: &str = "\
smtp/inet/insiders = reject_unknown_client_hostname,permit_tls_clientcerts
smtp/inet/asks = check_sender_access,hash:insiders,reject
smtp/inet/sealed = check_policy_service,unix:connectord/policy.sock,permit
";

#[test]
fn an_entry_that_permits_counts_for_those_it_is_about() {
    let mut all = partners();
    all.inbound[1].recipients = Some(PatternSet::new(patterns(&["*.ours.example"])));
    let mut placed = inbound("placed", &[], Require { addresses: Some(Vec::new()), ..Require::default() });
    placed.identify.addresses = vec!["192.0.2.0/24".parse().unwrap()];
    placed.identify.except_addresses = vec!["192.0.2.128/25".parse().unwrap()];
    all.inbound.push(placed);
    for (list, at_data) in [
        // Who is judged all the same, or passes anyway, and whom nobody's mail is from or for.
        ("check_client_access hash:{10.0.0.1=REJECT,192.0.2.1=DUNNO}", None),
        ("check_client_access hash:{127.0.0.1=OK,127=permit}", None),
        ("check_client_access hash:10.1=permit_sasl_authenticated,reject", None),
        ("check_client_access hash:10.1=sealed", None),
        ("check_sasl_access hash:a=OK", None),
        ("check_helo_access static:reject", None),
        ("check_client_access pcre:/x/=DUNNO", None),
        ("check_sender_access hash:{other.example=OK}", Some("late placed")),
        ("check_recipient_access hash:{theirs.example=OK}", Some("late tls placed")),
        ("check_recipient_access hash:{ours.example=OK}", Some("late tls shows placed")),
        ("check_client_access hash:10.1=OK", Some("late tls shows")),
        ("check_client_access cidr:192.0.2.7/32=OK", Some("late tls shows placed")),
        ("check_client_access hash:192.0.2.130=OK", Some("late tls shows")),
        ("check_client_access cidr:0.0.0.0/0=550", Some("late tls shows placed")),
        ("check_client_access hash:mail.b.example=insiders", Some("late tls shows placed")),
        ("check_sender_access proxy:hash:boss@sub.b.example=OK", Some("late placed")),
        ("check_sender_access hash:.example=1", Some("late tls shows placed")),
        ("check_sender_access hash:boss@=RELAY", Some("late tls shows placed")),
        ("check_helo_access static:OK", Some("late tls shows placed")),
        ("check_client_access pcre:/x/=OK", Some("unseen tls shows placed")),
        ("check_client_access cdb:/etc/a", Some("unseen tls shows placed")),
        ("check_client_access fail:a", Some("unseen tls shows placed")),
        ("warn_if_reject,check_client_access,{hash:{10.1=OK},search_order=x}", Some("late tls shows")),
        // It is not known whom a class with a table lets pass.
        ("check_recipient_access hash:ours.example=asks", Some("unseen tls shows placed")),
        ("check_client_access hash:127.0.0.1=asks", None),
        ("check_client_access hash:localhost=OK", None),
        // Anybody can say that, or have a server of that name.
        ("check_helo_access hash:127.0.0.1=OK", Some("late tls shows placed")),
        ("check_sender_mx_access cidr:127.0.0.0/8=OK", Some("late tls shows placed")),
        ("check_reverse_client_hostname_access hash:localhost=OK", Some("late tls shows placed")),
        ("insiders", Some("late tls shows placed")),
        ("sealed,permit", None),
    ] {
        let found = found_before(list, "smtpd_data_restrictions", &all);
        assert_eq!(found.as_deref(), at_data, "{list} at DATA");
        // What passes at RCPT is judged at DATA, but for the one that is about some recipients only.
        let found = found_before(list, "smtpd_recipient_restrictions", &all);
        let at_rcpt = at_data.filter(|found| found.contains("shows")).map(|found| match list {
            "insiders" => found.to_owned(),
            _ => found.replace(" tls", "").replace(" placed", ""),
        });
        assert_eq!(found, at_rcpt, "{list} at RCPT");
    }
}

/// The short form is about whom the list is about.
#[test]
fn a_table_alone_is_one_of_its_list() {
    for (name, entry, names) in [
        ("client", "127.0.0.1", None),
        ("helo", "127.0.0.1", Some("tls shows")),
        ("sender", "b.example", Some("shows")),
        ("sender", "other.example", None),
        ("relay", "other.example", Some("tls shows")),
    ] {
        // No other list has the daemon.
        let own = format!(
            "smtp/inet/smtpd_{name}_restrictions = hash:{{{entry}=OK}},check_policy_service,unix:connectord/policy.sock\n\
             smtp/inet/smtpd_recipient_restrictions = \nsmtp/inet/smtpd_data_restrictions = \n"
        );
        let found = found_of("relayhost =", &own, &partners());
        let late = found.iter().filter(|[id, ..]| id == "postfix-policy-service-late");
        let late: Vec<&str> = late.map(|[_, _, names, _]| names.as_str()).collect();
        assert_eq!(late, names.into_iter().collect::<Vec<_>>(), "{name} {entry}");
    }
}

#[test]
fn one_that_permits_is_seen_behind_a_thousand_others() {
    for answer in ["550 no", "no"] {
        let others: String =
            (0..2000).map(|number| format!("{{a{number}.example={answer}{number}}},")).collect();
        let list = format!("check_sender_access,hash:{{{others}{{b.example=OK}}}}");
        let found = found_before(&list, "smtpd_data_restrictions", &partners());
        assert_eq!(found.as_deref(), Some("late shows"), "{answer}");
    }
}

#[test]
fn an_answer_that_is_filled_in_is_not_known() {
    let ours = "check_policy_service unix:connectord/policy.sock";
    for (answer, count) in [("$1", 1), ("o${1}", 1), ("REJECT_$1", 1), ("550_no", 0)] {
        let list = format!("check_sender_access pcre:{{/x/={answer}}} {ours}");
        let found = found_of(&format!("smtpd_data_restrictions = {list}"), "", &partners());
        assert_eq!(found.len(), count, "{answer}: {found:?}");
        assert!(found.iter().all(|[id, ..]| id == "postfix-policy-service-unseen"), "{found:?}");
    }
}
