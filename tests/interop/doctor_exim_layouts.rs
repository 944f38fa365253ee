//! `doctor exim` where the configuration is put together in another way: Debian's in one file, and one that nobody has told
//! of connectord yet. Its commands are right there too.

use crate::certificates::{Authority, Subject};
use crate::exim_install::Untouched;
use crate::exim_practice::Practice;
use crate::exim_single_file::{Own, SingleFile, Template};
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

/// Whether the main log says of a delivery over which TLS it went, and what became of the certificate.
fn evidence<M: Mta>(practice: &Practice<M>, recipient: &str) -> [bool; 2] {
    let log = practice.lab.machine.run("cat", &["/var/log/exim4/mainlog"]);
    let delivery = log.lines().find(|line| line.contains(&format!(" => {recipient} "))).unwrap();
    [" X=TLS", " CV=yes"].map(|part| delivery.contains(part))
}

/// Mail goes over TLS as it must, and the log does not say so. `macros` is the file with those of the site.
fn goes_unseen<M: Mta>(practice: &Practice<M>, macros: &str) {
    const TLS: &str = "T mx.good.example:25";
    let _daemon = practice.lab.site.serve();
    send(practice, "before@good.example", TLS);
    assert_eq!(evidence(practice, "before@good.example"), [true; 2]);
    let all = &["open", "good", "in"];
    for (number, (selector, seen)) in [
        ("-tls_cipher", [false, true]),
        ("-tls_certificate_verified", [true, false]),
        ("-tls_cipher -tls_certificate_verified", [false; 2]),
    ]
    .into_iter()
    .enumerate()
    {
        practice.shell(&format!(
            "sed -i /MAIN_LOG_SELECTOR/d {macros}; echo 'MAIN_LOG_SELECTOR = {selector}' >> {macros}; update-exim4.conf"
        ));
        let [with, without] = ["with", "without"].map(|user| format!("{user}{number}@good.example"));
        send(practice, &with, TLS);
        assert_eq!(evidence(practice, &with), seen, "{selector}");
        practice.is_mended("exim-log-selector", &format!("log_selector = {selector}"), all);
        send(practice, &without, TLS);
        assert_eq!(evidence(practice, &without), [true; 2], "{selector}");
    }
}

fn x2_log_of_split_files(release: Release) {
    let practice: Practice = practice(release);
    goes_unseen(&practice, "/etc/exim4/conf.d/main/000_localmacros");
}

fn x2_log_of_a_single_file(release: Release) {
    let practice: Practice<SingleFile<Template>> = practice(release);
    goes_unseen(&practice, "/etc/exim4/exim4.conf.localmacros");
}

/// In a configuration of somebody's own no command is known, and what to set is said.
fn x2_log_of_ones_own(release: Release) {
    let practice: Practice<SingleFile<Own>> = practice(release);
    let _daemon = practice.lab.site.serve();
    let set = |selector: &str| {
        practice.shell(&format!("sed -i '1i log_selector = {selector}' /etc/exim4/exim4.conf"))
    };
    set("-tls_cipher");
    send(&practice, "with@good.example", "T mx.good.example:25");
    assert_eq!(evidence(&practice, "with@good.example"), [false, true]);
    let finding = practice.finds("exim-log-selector", "log_selector = -tls_cipher", &["open", "good", "in"]);
    assert_eq!(finding["mend"].as_array().map(Vec::len), Some(0));
    assert!(finding["message"].as_str().unwrap().ends_with(": tls_cipher"), "{finding}");
    practice.shell("sed -i 1d /etc/exim4/exim4.conf");
    set("-tls_cipher +tls_cipher");
    practice.is_well();
    send(&practice, "without@good.example", "T mx.good.example:25");
    assert_eq!(evidence(&practice, "without@good.example"), [true; 2]);
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

on_each_exim!(
    x2_single_file,
    x2_log_of_split_files,
    x2_log_of_a_single_file,
    x2_log_of_ones_own,
    x2_untouched,
);
