//! `doctor exim` and ways round a connector that are seldom taken: routers behind ours, other hosts, aliases in the DNS, and
//! clients that say by the PROXY protocol who they are.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use crate::certificates::{Authority, Subject};
use crate::condition::wait_for;
use crate::doctor_exim_dane::Validator;
use crate::exim_practice::Practice;
use crate::lab::Lab;
use crate::network::{OURS, partner_address};
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[outbound]]
name = "open"
mode = "enforce"
domains = ["open.example", "gone.example", "alias.example"]
tls = "encrypt"

[[outbound]]
name = "wrong"
mode = "enforce"
domains = ["wrong.example"]
tls = "verify"

[[outbound]]
name = "modern"
mode = "enforce"
domains = ["modern.example"]
tls = "encrypt"
protocols = ">=TLSv1.3"
"#;

const ALL: &[&str] = &["open", "wrong", "modern"];

const RELAY: &str = "P relay.lab.example:25";

const UNTRUSTED: &str = "D TLS session: (certificate verification failed)";

const GOOD: &str = "T mx.good.example:25";

/// A fault, and what shows it.
struct Fault {
    id: &'static str,
    place: &'static str,
    connectors: &'static [&'static str],
    /// What makes it, for a shell in /etc/exim4.
    made_by: &'static str,
    domain: &'static str,
    with: &'static str,
    without: &'static str,
}

/// A router of the site behind ours, as where a smart host takes all mail.
const SITE: &str = "printf 'site_smarthost:\\n driver = manualroute\\n domains = ! +local_domains\\n transport = remote_smtp\\n \
                    route_list = * relay.lab.example bydns\\n' > conf.d/router/06_site; ";

const FAULTS: [Fault; 6] = [
    Fault {
        id: "exim-routers-missing",
        place: "router connectord_address: more = true",
        connectors: ALL,
        made_by: "sed -i /no_more/d connectord/routers",
        domain: "gone.example",
        with: RELAY,
        without: "B Unrouteable address",
    },
    Fault {
        id: "exim-other-host",
        place: "transport connectord_host: hosts = mx.good.example",
        connectors: &["wrong"],
        made_by: "sed -i '/^connectord_host:/,/^$/s/^  hosts_require_tls/  hosts = mx.good.example\\n  hosts_override\\n&/' \
                  connectord/transports",
        domain: "wrong.example",
        with: GOOD,
        without: UNTRUSTED,
    },
    Fault {
        id: "exim-other-host",
        place: "transport connectord_host: fallback_hosts = mx.good.example",
        connectors: &["wrong"],
        made_by: "sed -i '/^connectord_host:/,/^$/s/^  hosts_require_tls/  fallback_hosts = mx.good.example\\n&/' \
                  connectord/transports",
        domain: "wrong.example",
        with: GOOD,
        without: UNTRUSTED,
    },
    // In the file that all our transports read.
    Fault {
        id: "exim-other-host",
        place: "transport connectord_may, connectord_encrypt, connectord_host, connectord_cert, connectord_pin, \
                connectord_dane: fallback_hosts = mx.good.example",
        connectors: ALL,
        made_by: "sed -i '1i fallback_hosts = mx.good.example' connectord/transport-options",
        domain: "wrong.example",
        with: GOOD,
        without: UNTRUSTED,
    },
    Fault {
        id: "exim-other-host",
        place: "router connectord_mx: route_data = mx.good.example bydns",
        connectors: ALL,
        made_by: "sed -i 's,^  route_data = .domain/MX,  route_data = mx.good.example,' connectord/routers",
        domain: "wrong.example",
        with: GOOD,
        without: UNTRUSTED,
    },
    Fault {
        id: "exim-other-host",
        place: "router connectord_mx: fallback_hosts = mx.good.example",
        connectors: ALL,
        made_by: "sed -i '/^connectord_mx:/a fallback_hosts = mx.good.example' connectord/routers",
        domain: "wrong.example",
        with: GOOD,
        without: UNTRUSTED,
    },
];

fn practice(release: Release) -> Practice {
    let authority = Authority::new("Lab CA");
    let wrong = authority.issue(Subject::server(&["mx.elsewhere.example"]));
    let good = authority.issue(Subject::server(&["mx.good.example"]));
    let host = |name: &str, number, starttls| Host { name: name.to_owned(), number, starttls };
    let hosts = [
        host("mx.plain.example", 10, Starttls::Absent),
        host("relay.lab.example", 11, Starttls::Absent),
        host("mx.wrong.example", 12, Starttls::Works(wrong.server())),
        host("mx.good.example", 13, Starttls::Works(good.server())),
        host("mx.old.example", 14, Starttls::Works(good.server_of_tls_1_2())),
    ];
    let mut zone = Zone::default();
    for (domain, host) in [("open", "plain"), ("wrong", "wrong"), ("modern", "old")] {
        zone.mx(&format!("{domain}.example"), &format!("mx.{host}.example"));
    }
    zone.record("_25._tcp.mx.old.example", &format!("TLSA 3 1 1 {}", good.key_digest().replace(':', "")));
    zone.alias("alias.example", "middle.example");
    zone.alias("middle.example", "end.example");
    zone.address("end.example", partner_address(10));
    let practice = Practice::new(Lab::start(release, &authority, &hosts, zone, &[]));
    practice.agree(CONNECTORS);
    practice
}

fn x2_settings(release: Release) {
    let practice = practice(release);
    let _daemon = practice.lab.site.serve();
    practice.shell(&format!("cd /etc/exim4; {SITE} update-exim4.conf"));
    practice.is_well();
    for (number, fault) in FAULTS.iter().enumerate() {
        practice.with_files_restored(|| {
            practice.shell(&format!("cd /etc/exim4; {}; update-exim4.conf", fault.made_by));
            practice.send(&format!("with{number}@{}", fault.domain), fault.with);
            practice.is_mended(fault.id, fault.place, fault.connectors);
            practice.send(&format!("without{number}@{}", fault.domain), fault.without);
        });
    }
    // Debian's router for `hubbed_hosts` comes behind ours, and `localhost` is one of our own domains.
    practice.agree(&format!("{CONNECTORS}{FOR_ALL}"));
    practice.is_well();
}

/// A connector for whoever has none.
const FOR_ALL: &str = r#"
[[outbound]]
name = "all"
mode = "enforce"
domains = ["*"]
tls = "may"
"#;

/// A domain that the DNS makes another one of: mail arrives there under the other name, and nobody was asked about ours.
fn x2_moved(release: Release) {
    let practice = practice(release);
    let _daemon = practice.lab.site.serve();
    let arrived = || {
        let mail = practice.lab.partner.mail();
        let recipients = mail.into_iter().filter(|mail| mail.tls.is_none()).flat_map(|mail| mail.recipients);
        recipients.collect::<Vec<String>>()
    };
    practice.with_files_restored(|| {
        practice.shell(
            "cd /etc/exim4; sed -i '/^connectord_moved:/,/^$/d' connectord/routers; update-exim4.conf",
        );
        practice.lab.enqueue("sender@ours.example", &["with@alias.example"]);
        practice.lab.mta.flush(&practice.lab.machine);
        assert_eq!(arrived(), ["with@middle.example"]);
        practice.is_mended("exim-domain-moved", "router connectord_address: driver = dnslookup", ALL);
        practice.send(
            "without@alias.example",
            "D connectord: by the DNS the domain with the connector is another domain",
        );
        assert_eq!(arrived().len(), 1);
    });
}

/// A partner's domain among our own, and a router that sends its mail away.
fn x2_local(release: Release) {
    let practice = practice(release);
    let _daemon = practice.lab.site.serve();
    practice.shell(
        "cd /etc/exim4; sed -i 's/^domainlist local_domains = .*/domainlist local_domains = ours.example : open.example/' \
         conf.d/main/*; printf 'site_hub:\\n driver = manualroute\\n domains = open.example\\n transport = remote_smtp\\n \
         route_list = * relay.lab.example bydns\\n' > conf.d/router/06_site; update-exim4.conf",
    );
    practice.send("with@open.example", RELAY);
    practice.finds(
        "exim-routers-missing",
        "domainlist local_domains = ours.example : open.example",
        &["open"],
    );
}

/// The minimum version where there are TLSA records.
fn x2_ciphers(release: Release) {
    let practice = practice(release);
    let _daemon = practice.lab.site.serve();
    let _validator = Validator::start(&practice.lab.machine, &practice.lab.network.ours);
    practice.with_files_restored(|| {
        practice.shell(
            "cd /etc/exim4; sed -i '/^connectord_encrypt:/,/^$/s/^  hosts_require_tls/  dane_require_tls_ciphers = NORMAL\\n&/' \
             connectord/transports; update-exim4.conf",
        );
        practice.send("with@modern.example", "T mx.old.example:25");
        let place = "transport connectord_encrypt: dane_require_tls_ciphers = NORMAL";
        practice.is_mended("exim-minimum-version", place, &["modern"]);
        practice.send("without@modern.example", "D TLS session");
    });
}

const INBOUND: &str = r#"
[[inbound]]
name = "tls"
mode = "enforce"
identify.domains = ["tls.example"]
require.tls = true
on_violation = "reject"
"#;

/// What a client in plaintext is told at RCPT, or before, that says it is on this host, or says nothing of the kind.
fn told(practice: &Practice, is_proxy: bool) -> std::io::Result<String> {
    let network = &practice.lab.network.partner;
    let stream = network.enter(|| TcpStream::connect((OURS, 25)))?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut reply = || -> std::io::Result<String> {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    };
    if is_proxy {
        writer.write_all(b"PROXY TCP4 127.0.0.1 192.0.2.1 1234 25\r\n")?;
    }
    let said = ["EHLO mail.contoso.example", "MAIL FROM:<bob@tls.example>", "RCPT TO:<carol@ours.example>"];
    let mut last = reply()?;
    for line in said {
        writer.write_all(format!("{line}\r\n").as_bytes())?;
        last = reply()?;
        if !last.starts_with('2') {
            break;
        }
    }
    Ok(last)
}

/// What the connector says to whoever has no TLS.
const JUDGED: &str = "530 5.7.0";

fn x2_proxy(release: Release) {
    let authority = Authority::new("Lab CA");
    let lab = Lab::start(release, &authority, &[], Zone::default(), &["queue_only"]);
    let practice: Practice = Practice::new(lab);
    practice.agree(INBOUND);
    let _daemon = practice.lab.site.serve();
    practice.is_well();
    let believe = |hosts: &str| {
        practice.shell(&format!(
            "cd /etc/exim4; sed -i /^hosts_proxy/d conf.d/main/000_localmacros; echo 'hosts_proxy = {hosts}' >> \
             conf.d/main/000_localmacros; update-exim4.conf; kill -HUP $(cat /run/exim4/exim.pid)"
        ));
    };
    let is_told = |is_proxy: bool, code: &str| {
        wait_for(code, || {
            let reply = told(&practice, is_proxy).map_err(|error| error.to_string())?;
            if reply.starts_with(code) { Ok(()) } else { Err(reply) }
        });
    };
    believe("192.0.2.0/24");
    is_told(true, "250");
    practice.is_mended("exim-proxy", "hosts_proxy = 192.0.2.0/24", &["tls"]);
    is_told(false, JUDGED);
    // A proxy that this client is not.
    believe("192.0.2.77");
    is_told(false, JUDGED);
    practice.is_well();
}

on_each_exim!(x2_settings, x2_moved, x2_local, x2_ciphers, x2_proxy);
