//! Metrics: what is said, and that it is so.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use connectord::server::control::{Command, ask};

use super::client::{BANK, CONFIGURATION, action, connect, from_bank, policy, tls};
use super::daemon::{Daemon, Setup};
use super::prometheus_reader::{Page, read};
use super::scraper::{SCRAPE, all, body, say, scrape};

pub const LISTEN: &str = "[[listen]]\nprotocol = \"metrics\"\npath = \"metrics.sock\"\n";

pub fn setup() -> Setup {
    Setup::new(&format!("{CONFIGURATION}{LISTEN}"))
}

/// What differs between two pages, by how much.
fn risen(before: &Page, after: &Page, family: &str) -> Vec<(String, f64)> {
    let of = after.series.iter().filter(|((name, _), _)| name == family);
    let rises = of.map(|(series, number)| {
        let labels: Vec<&str> = series.1.values().map(String::as_str).collect();
        (labels.join(" "), number - before.series.get(series).copied().unwrap_or_default())
    });
    rises.filter(|(_, rise)| *rise != 0.0).collect()
}

fn expected(list: &[(&str, f64)]) -> Vec<(String, f64)> {
    list.iter().map(|(labels, rise)| ((*labels).to_owned(), *rise)).collect()
}

fn ask_around(daemon: &Daemon) {
    let mut map = connect(&daemon.path("run/socketmap.sock"));
    for _ in 0..3 {
        assert_eq!(tls(&mut map, "bank.example").as_deref(), Some(BANK));
    }
    assert!(tls(&mut map, "plain.example").unwrap().starts_with("OK "));
    for _ in 0..2 {
        assert_eq!(tls(&mut map, "trial.example").as_deref(), Some("NOTFOUND "));
    }
    assert!(tls(&mut map, "a..b").unwrap().starts_with("PERM "));
    let mut mail = connect(&daemon.path("run/policy.sock"));
    for tls in ["", "TLSv1.3", "TLSv1.1", "TLSv1.3"] {
        mail.write_all(&from_bank(tls)).unwrap();
        action(&mut mail).unwrap();
    }
    let mut exim = connect(&daemon.path("run/exim.sock"));
    exim.write_all(b"out domain=plain.example sender=\"\"\n").unwrap();
    assert_eq!(all(&mut exim), "status=ok tls=encrypt end=ok\n");
}

#[test]
fn numbers_rise_by_what_was_asked() {
    let daemon = setup().start();
    let before = scrape(&daemon);
    ask_around(&daemon);
    // Once more: none of it is forgotten or counted twice by being told.
    scrape(&daemon);
    let after = scrape(&daemon);
    assert_eq!(
        risen(&before, &after, "connectord_decisions_total"),
        expected(&[
            ("bank outbound enforce ok", 3.0),
            ("bank-in inbound enforce pass", 2.0),
            ("bank-in inbound enforce reject", 2.0),
            ("plain outbound enforce ok", 2.0),
            ("trial outbound report ok", 2.0),
        ])
    );
    let nobody = risen(&before, &after, "connectord_decisions_without_connector_total");
    assert_eq!(nobody, expected(&[("notfound", 2.0), ("perm", 1.0)]));
    let requests = risen(&before, &after, "connectord_requests_total");
    assert_eq!(requests, expected(&[("exim", 1.0), ("policy", 4.0), ("socketmap", 7.0)]));
    let connections = risen(&before, &after, "connectord_connections_total");
    let expected_connections = [("exim", 1.0), ("metrics", 2.0), ("policy", 1.0), ("socketmap", 1.0)];
    assert_eq!(connections, expected(&expected_connections));
    // Each has its usual verdicts from the start; one that reports has decided nothing.
    let words = ["ok", "temp", "refused"];
    for word in words {
        let labels =
            |mode| [("connector", "trial"), ("direction", "outbound"), ("mode", mode), ("verdict", word)];
        assert_eq!(before.find("connectord_decisions_total", &labels("report")), Some(0.0), "{word}");
        assert_eq!(after.find("connectord_decisions_total", &labels("enforce")), None, "{word}");
    }
    assert!(before.series.keys().eq(after.series.keys()), "series come from the configuration alone");
    // As status says it.
    let status = daemon.status();
    let count = |connector: &str, verdict: &str| {
        let all = status["decisions"].as_array().unwrap().iter();
        all.filter(|one| one["connector"] == connector && one["verdict"] == verdict)
            .map(|one| one["count"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((count("bank", "ok"), count("bank-in", "reject"), count("trial", "ok")), (3, 2, 2));
}

#[test]
fn the_state_of_things() {
    let configuration =
        format!("{CONFIGURATION}{LISTEN}").replace("name = \"plain\"", "name = \"a & b (c)/d@e+f\"");
    let daemon = Setup::new(&configuration).limits("results=0").start();
    let page = scrape(&daemon);
    let status = daemon.status();
    let info =
        |family: &str, label: &str| page.values(family, label).into_iter().collect::<Vec<_>>().join(",");
    assert_eq!(info("connectord_build_info", "version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(info("connectord_config_info", "sha256"), status["sha256"].as_str().unwrap());
    for (family, number) in [
        ("connectord_generation", 1.0),
        ("connectord_config_last_reload_successful", 1.0),
        ("connectord_last_good_served", 0.0),
        ("connectord_last_good_unaccepted", 0.0),
        ("connectord_panics_total", 0.0),
        ("connectord_log_lines_lost_total", 0.0),
        ("connectord_connections", 0.0),
        ("connectord_connections_max", 1024.0),
        ("connectord_validation_readable", 0.0),
    ] {
        assert_eq!(page.number(family, &[]), number, "{family}");
    }
    let started = page.number("connectord_start_time_seconds", &[]);
    let loaded = page.number("connectord_config_last_reload_success_timestamp_seconds", &[]);
    assert!(started > 1.7e9 && (started - loaded).abs() < 3600.0, "{started} {loaded}");
    let connectors =
        |direction, mode| page.number("connectord_connectors", &[("direction", direction), ("mode", mode)]);
    assert_eq!((connectors("outbound", "enforce"), connectors("outbound", "report")), (2.0, 1.0));
    assert_eq!((connectors("inbound", "enforce"), connectors("inbound", "off")), (1.0, 0.0));
    assert!(page.values("connectord_connector_info", "connector").contains("a & b (c)/d@e+f"));

    let open = connect(&daemon.path("run/policy.sock"));
    daemon.wait_until(|status| status["connections"] == 1);
    assert_eq!(scrape(&daemon).number("connectord_connections", &[]), 1.0);
    drop(open);

    fs::write(daemon.path("results"), "bank validated\nplain failed\n").unwrap();
    let page = scrape(&daemon);
    assert_eq!(page.number("connectord_validation_readable", &[]), 1.0);
    for (connector, state) in [("bank", "validated"), ("plain", "failed")] {
        let labels = [("connector", connector), ("state", state)];
        assert_eq!(page.number("connectord_validation_state", &labels), 1.0);
        for family in ["timestamp_seconds", "certificate_expiry_timestamp_seconds"] {
            let family = format!("connectord_validation_{family}");
            assert_eq!(page.number(&family, &labels[..1]), 1_795_651_200.0, "{family}");
        }
    }
    assert_eq!(page.values("connectord_validation_state", "connector").len(), 2);
}

/// What is told over the control socket is the same text.
#[test]
fn the_control_socket_tells_the_same() {
    let daemon = setup().start();
    // Beside the start, and one of the numbers.
    daemon.log.wait_for("last_good_kept");
    ask_around(&daemon);
    let there = scrape(&daemon);
    let told = read(&format!("{}\n", ask(&daemon.path("run/control.sock"), Command::Metrics).unwrap()));
    assert_eq!(told.families, there.families);
    let differ: Vec<_> =
        told.series.iter().filter(|(series, number)| there.series.get(*series) != Some(*number)).collect();
    // One connection more has ended, and one more has come.
    assert!(
        differ.iter().all(|((family, _), _)| family.starts_with("connectord_connections_")),
        "{differ:?}"
    );
    assert_eq!(told.series.len(), there.series.len());
}

#[test]
fn reloads_are_told_and_counts_outlive_them() {
    let daemon = setup().start();
    ask_around(&daemon);
    let before = scrape(&daemon);
    daemon.configure("version = 1\nnonsense");
    assert_eq!(daemon.reload()["ok"], false);
    let failed = scrape(&daemon);
    assert_eq!(failed.number("connectord_config_last_reload_successful", &[]), 0.0);
    assert_eq!(failed.number("connectord_generation", &[]), 1.0);
    let time = |page: &Page, what: &str| {
        page.number(&format!("connectord_config_last_reload_{what}timestamp_seconds"), &[])
    };
    assert!(time(&failed, "") >= time(&before, "") && time(&failed, "success_") == time(&before, "success_"));

    // One is gone, the others go on.
    let less = CONFIGURATION.replace("name = \"plain\"", "name = \"other\"");
    daemon.configure(&format!("{less}{LISTEN}"));
    assert_eq!(daemon.reload()["ok"], true);
    let page = scrape(&daemon);
    assert_eq!(page.number("connectord_config_last_reload_successful", &[]), 1.0);
    assert_eq!(page.number("connectord_generation", &[]), 2.0);
    let ok = |page: &Page, connector: &str| {
        let labels =
            [("connector", connector), ("direction", "outbound"), ("mode", "enforce"), ("verdict", "ok")];
        page.find("connectord_decisions_total", &labels)
    };
    assert_eq!((ok(&page, "bank"), ok(&page, "plain"), ok(&page, "other")), (Some(3.0), None, Some(0.0)));
    // One that comes back begins anew.
    daemon.configure(&format!("{CONFIGURATION}{LISTEN}"));
    assert_eq!(daemon.reload()["ok"], true);
    let page = scrape(&daemon);
    assert_eq!((ok(&page, "bank"), ok(&page, "plain"), ok(&page, "other")), (Some(3.0), Some(0.0), None));
}

/// A start from the last good configuration is told.
#[test]
fn the_last_good_configuration_is_told() {
    let mut daemon = setup().start();
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
    assert_eq!(scrape(&daemon).number("connectord_last_good_kept", &[]), 1.0);
    assert_eq!(daemon.stop(), Some(0));
    daemon.configure("nonsense");
    daemon.start_again();
    let page = scrape(&daemon);
    for (family, number) in [
        ("connectord_last_good_served", 1.0),
        ("connectord_last_good_kept", 1.0),
        ("connectord_config_last_reload_successful", 0.0),
    ] {
        assert_eq!(page.number(family, &[]), number, "{family}");
    }
}

/// A port that nobody had just now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_loopback_address_is_served_too_and_the_sockets_of_mtas_stay() {
    let started = (0..20).find_map(|_| {
        let port = free_port();
        let listen = format!("[[listen]]\nprotocol = \"metrics\"\naddress = \"127.0.0.1:{port}\"\n");
        let daemon = Setup::new(&format!("{CONFIGURATION}{listen}")).start();
        // Else somebody took the port in between.
        let is_ours = daemon.status()["listeners"][0]["path"] == format!("127.0.0.1:{port}");
        is_ours.then_some((daemon, port))
    });
    let (mut daemon, port) = started.unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(SCRAPE.as_bytes()).unwrap();
    let page = read(body(&all(&mut stream)));
    assert_eq!(page.number("connectord_generation", &[]), 1.0);
    let mut mail = connect(&daemon.path("run/policy.sock"));
    mail.write_all(&policy(&[("protocol_state", "RCPT"), ("sender", "a@other.example")])).unwrap();
    assert_eq!(action(&mut mail).as_deref(), Some("DUNNO"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn mail_does_not_wait_for_a_socket_of_metrics() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let listen = format!("{LISTEN}[[listen]]\nprotocol = \"metrics\"\naddress = \"{address}\"\n");
    let mut daemon = Setup::new(&format!("{CONFIGURATION}{listen}")).limits("watch=10").start();
    let line = daemon.log.wait_for("error metrics_not_served");
    assert!(
        line.contains(&format!("{address}: cannot listen there")) && line.contains("another port"),
        "{line}"
    );
    scrape(&daemon);
    // Removed while it runs: the others are watched, and this one is missed by nobody else.
    fs::remove_file(daemon.path("run/metrics.sock")).unwrap();
    for _ in 0..100 {
        assert_eq!(
            tls(&mut connect(&daemon.path("run/socketmap.sock")), "bank.example").as_deref(),
            Some(BANK)
        );
    }
    // One that is watched: it is what ends the daemon, although the other one is missing for longer.
    fs::remove_file(daemon.path("run/policy.sock")).unwrap();
    assert_ne!(daemon.wait().code(), Some(0));
    let failed = daemon.all_lines().into_iter().find(|line| line.starts_with("failed: ")).unwrap();
    assert!(failed.contains("policy.sock"), "{failed}");
}

/// Nothing but the daemon's numbers leaves it by this way, and nothing comes in.
#[test]
fn other_requests() {
    let daemon = setup().start();
    let status_line = |request: &str| {
        let reply = say(&daemon, request);
        reply.split("\r\n").next().unwrap().to_owned()
    };
    let long = format!("GET /metrics HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(9_000));
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found"),
        ("GET /metrics/ HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found"),
        ("GET /metrics/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found"),
        ("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        ("DELETE /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        ("GET /metrics?name[]=x HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK"),
        ("GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        ("GET /metrics HTTP/1.1\nHost: a\n\n", "HTTP/1.1 400 Bad Request"),
        ("reload accept-weaker\n", "HTTP/1.1 400 Bad Request"),
        ("PRI * HTTP/2.0\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (&long, "HTTP/1.1 431 Request Header Fields Too Large"),
    ] {
        assert_eq!(status_line(request), expected, "{request:?}");
    }
    let head = say(&daemon, &SCRAPE.replace("GET", "HEAD"));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    // One request a connection, whatever is said behind it.
    let twice = say(&daemon, &format!("{SCRAPE}{SCRAPE}"));
    read(body(&twice));
    let page = scrape(&daemon);
    let malformed = [("protocol", "metrics"), ("reason", "malformed")];
    assert_eq!(page.number("connectord_connections_closed_total", &malformed), 5.0);
    assert_eq!(daemon.status()["generation"], 1);
}
