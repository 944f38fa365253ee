//! `doctor exim` where the configuration is put together in another way: Debian's in one file, and one that nobody has told
//! of connectord yet. Its commands are right there too.

use crate::certificates::{Authority, Subject};
use crate::exim_install::Untouched;
use crate::exim_practice::Practice;
use crate::exim_single_file::{SingleFile, Template};
use crate::lab::{Lab, Mta, fates};
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[outbound]]
name = "open"
mode = "enforce"
domains = ["open.example"]
tls = "encrypt"

[[outbound]]
name = "good"
mode = "enforce"
domains = ["good.example"]
tls = "secure"
match = ["mx.good.example"]

[[inbound]]
name = "in"
mode = "enforce"
identify.domains = ["in.example"]
require.certificate.names = ["mail.in.example"]
on_violation = "reject"
"#;

const OUT: &[&str] = &["open", "good"];

const PLAIN: &str = "P mx.plain.example:25";

const NO_TLS: &str = "D a TLS session is required, but the server did not offer TLS support";

fn practice<M: Mta>(release: Release) -> Practice<M> {
    let authority = Authority::new("Lab CA");
    let good = authority.issue(Subject::server(&["mx.good.example"])).server();
    let hosts = [("plain", 10, Starttls::Absent), ("good", 11, Starttls::Works(good))]
        .map(|(name, number, starttls)| Host { name: format!("mx.{name}.example"), number, starttls });
    let mut zone = Zone::default();
    zone.mx("open.example", "mx.plain.example");
    zone.mx("good.example", "mx.good.example");
    let practice = Practice::new(Lab::start(release, &authority, &hosts, zone, &[]));
    practice.agree(CONNECTORS);
    practice
}

fn send<M: Mta>(practice: &Practice<M>, recipient: &str, fate: &str) {
    practice.lab.send_expecting(&fates([(recipient, fate)]));
}

fn x2_single_file(release: Release) {
    let practice: Practice<SingleFile<Template>> = practice(release);
    let _daemon = practice.lab.site.serve();
    practice.is_well();
    let template = "/etc/exim4/exim4.conf.template";

    practice.shell(&format!("sed -i '/connectord.routers/d' {template}; update-exim4.conf"));
    send(&practice, "with@open.example", PLAIN);
    practice.is_mended("exim-routers-missing", "begin routers", OUT);
    send(&practice, "without@open.example", NO_TLS);

    practice.shell(
        "echo 'CONNECTORD_SOCKET = /run/other.sock' >> /etc/exim4/exim4.conf.localmacros; update-exim4.conf",
    );
    send(&practice, "with@good.example", "D connectord: no valid answer");
    practice.is_mended("exim-socket-path", "CONNECTORD_SOCKET = /run/other.sock", &["open", "good", "in"]);
    send(&practice, "without@good.example", "T mx.good.example:25");

    practice.shell(&format!("sed -i '/connectord.retry/d' {template}; update-exim4.conf"));
    practice.is_mended("exim-retry", "begin retry: * * F,2h,15m; G,16h,1h,1.5; F,4d,6h", OUT);
}

/// Nothing of connectord is there: what one finding says mends all.
fn x2_untouched(release: Release) {
    let practice: Practice<Untouched> = practice(release);
    let _daemon = practice.lab.site.serve();
    send(&practice, "with@open.example", PLAIN);
    let findings = practice.findings();
    let ids: Vec<&str> = findings.iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["exim-routers-missing", "exim-acl-missing", "exim-client-certificate"]);
    assert_eq!(findings[0]["mend"], findings[1]["mend"]);
    practice.mend(&findings[0]);
    practice.is_well();
    send(&practice, "without@open.example", NO_TLS);
}

on_each_exim!(x2_single_file, x2_untouched);
