#![allow(clippy::unwrap_used)]
use super::*;
use crate::model::inbound::{CertificateRequirement, Require, TlsRequirement};
use crate::model::mta::TransportName;
use crate::model::sample::{agreements, connectors, inbound};

const SERVICES: &str = "\
smtp inet n - y - - smtpd
submission inet n - y - - smtpd
127.0.0.1:10025 inet n - y - - smtpd
smtp unix - - y - - smtp
relay unix - - y - - smtp
connectord-smtp unix - - y - - smtp
lmtp unix - - y - - lmtp
proxymap unix - - n - - proxymap
";

/// Settings with which nothing is wrong.
const RIGHT: &str = "\
mail_version = 3.10.13
queue_directory = /var/spool/postfix
smtp_tls_policy_maps = socketmap:unix:connectord/socketmap.sock:tls
smtp_tls_security_level = may
smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt
smtp_tls_CApath =
smtp_tls_fingerprint_digest = sha256
smtp_tls_session_cache_database =
smtp_connection_cache_on_demand = no
smtp_connection_cache_destinations =
smtp_fallback_relay =
tls_required_enable = no
smtpd_delay_reject = yes
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = check_policy_service unix:connectord/policy.sock
smtpd_data_restrictions = check_policy_service unix:connectord/policy.sock
smtpd_policy_service_default_action = 451 4.3.5 Server configuration problem
smtpd_tls_security_level = may
smtpd_tls_ask_ccert = yes
smtpd_tls_fingerprint_digest = sha256
default_transport = smtp
relayhost =
transport_maps =
";

const SOCKET: &str = "/var/spool/postfix/connectord/socketmap.sock";

const POLICY: &str = "/var/spool/postfix/connectord/policy.sock";

/// Id, place, connectors and first command of each finding, with one line of main.cf instead of the right one and
/// this for services alone.
fn found(main: &str, services: &str, outbound: Vec<Outbound>) -> Vec<[String; 4]> {
    found_of(main, services, &agreements(outbound, Vec::new()))
}

fn found_of(main: &str, services: &str, agreements: &Agreements) -> Vec<[String; 4]> {
    let name = main.split(" =").next().unwrap();
    let right: String = RIGHT
        .lines()
        .filter(|line| line.split(" =").next() != Some(name))
        .map(|line| format!("{line}\n"))
        .collect();
    let text = format!("{right}{main}\n");
    let settings = Settings::parse(&text, &text, SERVICES, services).unwrap();
    let patient = Patient {
        settings: &settings,
        agreements,
        socketmap: Path::new(SOCKET),
        policy: Path::new(POLICY),
        config_directory: None,
    };
    let told = |finding: Finding| {
        assert_eq!(finding.mend.last().map(String::as_str), Some("postfix reload"));
        let first = finding.mend.first().unwrap().clone();
        [finding.kind.id.to_owned(), finding.place, finding.connectors.join(" "), first]
    };
    examine(&patient).into_iter().map(told).collect()
}

fn ids(main: &str, services: &str, texts: &[&str]) -> Vec<String> {
    found(main, services, connectors(texts)).into_iter().map(|[id, ..]| id).collect()
}

#[test]
fn right_settings_have_no_finding() {
    let all = ["encrypt of a.example", "secure x.example of b.example", "verify of c.example"];
    assert_eq!(ids("relayhost =", "", &all), [""; 0]);
}

#[test]
fn without_a_connector_there_is_nothing_to_go_round() {
    let without = "smtp_tls_policy_maps =";
    assert_eq!(ids(without, "", &["encrypt of a.example, off"]), [""; 0]);
    assert_eq!(ids(without, "", &["encrypt of a.example, report"]), ["postfix-policy-missing"]);
}

#[test]
fn the_table_is_ours_however_its_path_is_written() {
    for (value, expected) in [
        // The services are chrooted, and proxymap(8) is not.
        ("socketmap:unix:/connectord/socketmap.sock:tls", None),
        ("socketmap:unix:/var/spool/postfix/connectord/socketmap.sock:tls", Some("postfix-socket-path")),
        ("proxy:socketmap:unix:connectord/socketmap.sock:tls", None),
        ("proxy:socketmap:unix:/var/spool/postfix/connectord/socketmap.sock:tls", None),
        ("proxy:socketmap:unix:/connectord/socketmap.sock:tls", Some("postfix-socket-path")),
        ("socketmap:unix:connectord/socketmap.sock:tls hash:/etc/postfix/other", None),
        ("socketmap:unix:connectord/socketmap.sock:transport", Some("postfix-policy-missing")),
        ("socketmap:unix:other/socketmap.sock:tls", Some("postfix-policy-missing")),
        ("hash:/etc/postfix/tls, socketmap:unix:connectord/socketmap.sock:tls", Some("postfix-policy-order")),
        ("", Some("postfix-policy-missing")),
    ] {
        let found = ids(&format!("smtp_tls_policy_maps = {value}"), "", &["encrypt of a.example"]);
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{value}");
    }
}

#[test]
fn other_tables_stay_behind_ours() {
    let found = found("smtp_tls_policy_maps = hash:/etc/a", "", connectors(&["encrypt of a.example"]));
    let [[_, place, names, command]] = &found[..] else { panic!("{found:?}") };
    assert_eq!((place.as_str(), names.as_str()), ("main.cf: smtp_tls_policy_maps = hash:/etc/a", "c0"));
    assert_eq!(
        command,
        "postconf -e 'smtp_tls_policy_maps = socketmap:unix:connectord/socketmap.sock:tls, hash:/etc/a'"
    );
}

#[test]
fn a_service_with_its_own_value_is_found_and_the_others_are_not_blamed() {
    let own = "relay/unix/smtp_fallback_relay = [x.example]\n";
    let found = found("relayhost =", own, connectors(&["encrypt of a.example"]));
    let [[id, place, _, command]] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (id.as_str(), place.as_str()),
        ("postfix-fallback-relay", "master.cf: relay/unix: smtp_fallback_relay = [x.example]")
    );
    assert_eq!(command, "postconf -PX relay/unix/smtp_fallback_relay");
    // What main.cf says is nobody's when each service has its own.
    let own: String = ["smtp", "relay", "connectord-smtp"]
        .iter()
        .map(|name| format!("{name}/unix/smtp_fallback_relay = \n"))
        .collect();
    assert_eq!(ids("smtp_fallback_relay = [x.example]", &own, &["encrypt of a.example"]), [""; 0]);
}

#[test]
fn a_connector_with_its_own_service_is_not_about_others() {
    let ours = "transport_maps = socketmap:unix:connectord/socketmap.sock:transport";
    let mut outbound = connectors(&["encrypt of a.example"]);
    outbound.first_mut().unwrap().transport = TransportName::parse("connectord-smtp");
    let relay = |service: &str| format!("{service}/unix/smtp_fallback_relay = [x.example]\n");
    assert_eq!(found(ours, &relay("smtp"), outbound.clone()).len(), 0);
    assert_eq!(found(ours, &relay("connectord-smtp"), outbound.clone()).len(), 1);
    // Nobody sends its mail there without the transport map.
    let found = found("transport_maps =", "", outbound);
    assert_eq!(found.iter().map(|[id, ..]| id.as_str()).collect::<Vec<_>>(), ["postfix-other-way"]);
}

#[test]
fn only_those_are_named_that_miss_something() {
    let texts =
        ["encrypt of a.example", "secure x.example of b.example", "verify of c.example, through [h.example]"];
    for (main, id, names) in [
        ("smtp_tls_CAfile =", "postfix-authorities", "c1 c2"),
        ("smtp_tls_session_cache_database = btree:/x", "postfix-session-cache", "c1 c2"),
        ("default_transport = smtp:", "postfix-other-way", "c2"),
        ("default_transport = smtp:[x.example]", "postfix-other-way", "c0 c1 c2"),
        ("smtp_tls_security_level =", "postfix-level", "c0 c1 c2"),
    ] {
        let found = found(main, "", connectors(&texts));
        let found =
            found.iter().find(|[found, ..]| found == id).unwrap_or_else(|| panic!("{main}: {found:?}"));
        assert_eq!(found.get(2).map(String::as_str), Some(names), "{main}");
    }
}

#[test]
fn a_setting_that_this_version_does_not_have_is_no_fault() {
    let main: String =
        RIGHT.lines().filter(|line| !line.starts_with("tls_required")).map(|l| format!("{l}\n")).collect();
    let settings = Settings::parse(&main, &main, SERVICES, "").unwrap();
    let agreements = agreements(connectors(&["encrypt of a.example"]), Vec::new());
    let directory = Some(Path::new("/etc/postfix two"));
    let mut patient = Patient {
        settings: &settings,
        agreements: &agreements,
        socketmap: Path::new(SOCKET),
        policy: Path::new(POLICY),
        config_directory: None,
    };
    assert_eq!(examine(&patient), []);
    patient.config_directory = directory;
    assert_eq!(patient.set("relayhost", "it's"), r"postconf -c '/etc/postfix two' -e 'relayhost = it'\''s'");
    assert_eq!(patient.reload(), "postfix -c '/etc/postfix two' reload");
}

/// Two partners: one has to use TLS, and one to show a certificate.
fn partners() -> Agreements {
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
        (format!("permit_mynetworks, {ours}"), Some("postfix-policy-service-late")),
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
}

#[test]
fn what_stands_in_a_list_stays_there_behind_the_daemon() {
    let list = "permit_mynetworks, check_policy_service unix:connectord/policy.sock, reject_rbl_client a.example, permit";
    let found = found_of(&format!("smtpd_recipient_restrictions = {list}"), "", &partners());
    let [[id, _, names, command]] = &found[..] else { panic!("{found:?}") };
    assert_eq!((id.as_str(), names.as_str()), ("postfix-policy-service-late", "tls shows"));
    assert_eq!(
        command,
        "postconf -e 'smtpd_recipient_restrictions = check_policy_service unix:connectord/policy.sock, \
         permit_mynetworks, reject_rbl_client a.example, permit'"
    );
}

#[test]
fn only_the_smtpd_that_strangers_reach_is_looked_at() {
    let own = |service: &str| format!("{service}/inet/smtpd_recipient_restrictions = permit\n");
    for (service, count) in [("smtp", 1), ("submission", 0), ("127.0.0.1:10025", 0)] {
        assert_eq!(found_of("relayhost =", &own(service), &partners()).len(), count, "{service}");
    }
}

#[test]
fn what_partners_need_is_offered_and_asked_for() {
    for (main, id, names) in [
        ("smtpd_policy_service_default_action = DUNNO", "postfix-policy-service-action", "tls shows"),
        ("smtpd_tls_security_level =", "postfix-no-starttls", "tls shows"),
        ("smtpd_tls_ask_ccert = no", "postfix-client-certificate", "shows"),
    ] {
        let found = found_of(main, "", &partners());
        let [[found, _, named, _]] = &found[..] else { panic!("{main}: {found:?}") };
        assert_eq!((found.as_str(), named.as_str()), (id, names));
    }
    for good in
        ["smtpd_policy_service_default_action = defer_if_permit", "smtpd_policy_service_default_action = 554"]
    {
        assert_eq!(found_of(good, "", &partners()).len(), usize::from(good.contains("defer_if")), "{good}");
    }
    // Registered certificates are what is known by a digest.
    assert_eq!(found_of("smtpd_tls_fingerprint_digest = md5", "", &partners()).len(), 0);
}
