//! What Postfix asks for, in all its spellings, and that each gets the connector's requirement.
//!
//! The partner's servers would take the mail in plaintext, or with a certificate of their own
//! making; mail that a connector is about is deferred there, and what no connector is about
//! arrives, so that each case shows whose requirement it got.

use crate::certificates::{Authority, Subject};
use crate::lab::{Lab, fates};
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[outbound]]
name = "upper"
mode = "enforce"
domains = ["upper.example"]
tls = "encrypt"

[[outbound]]
name = "idn"
mode = "enforce"
domains = ["münchen.example"]
tls = "encrypt"

[[outbound]]
name = "deep"
mode = "enforce"
domains = ["*.deep.example"]
tls = "encrypt"

[[outbound]]
name = "below"
mode = "enforce"
domains = [".below.example"]
tls = "encrypt"

[[outbound]]
name = "smart"
mode = "enforce"
domains = ["smart.example"]
tls = "encrypt"
route = ["[mx.smart.example]:2525"]

[[outbound]]
name = "first"
mode = "enforce"
domains = ["first.example"]
tls = "encrypt"
route = ["[mx.shared.example]:2525"]

[[outbound]]
name = "second"
mode = "enforce"
domains = ["second.example"]
tls = "secure"
match = ["mx.shared.example"]
route = ["[mx.shared.example]:2525"]

[[outbound]]
name = "alone"
mode = "enforce"
domains = ["alone.example"]
tls = "encrypt"
route = ["[mx.alone.example]:2525"]

[[outbound]]
name = "direct"
mode = "enforce"
domains = ["direct.example"]
tls = "encrypt"
route = "mx"
"#;

/// A connector for everybody.
const EVERYONE: &str = r#"
[[outbound]]
name = "everyone"
mode = "enforce"
domains = ["*"]
tls = "encrypt"
"#;

/// Names of servers without STARTTLS, and of servers with a self-signed certificate.
const PLAIN: [&str; 4] = ["mx.plain.example", "mx.smart.example", "mx.bare.example", "relay.lab.example"];
const SELF_SIGNED: [&str; 3] = ["mx.shared.example", "mx.alone.example", "mx.direct.example"];

const NO_TLS: &str = "D TLS is required, but was not offered";
const NOT_VERIFIED: &str = "D Server certificate not verified";

fn lab(release: Release, settings: &[&str]) -> Lab {
    let authority = Authority::new("Lab CA");
    let mut hosts = Vec::new();
    for name in PLAIN {
        hosts.push((name, Starttls::Absent));
    }
    for name in SELF_SIGNED {
        let server = Subject::server(&[name]).self_signed().server();
        hosts.push((name, Starttls::Works(server)));
    }
    let hosts: Vec<Host> = (10..)
        .zip(hosts)
        .map(|(number, (name, starttls))| Host { name: name.to_owned(), number, starttls })
        .collect();
    let mut zone = Zone::default();
    zone.mx("direct.example", "mx.direct.example");
    for domain in [
        "upper",
        "xn--mnchen-3ya",
        "deep",
        "*.deep",
        "below",
        "*.below",
        "nobody",
        "smart",
        "first",
        "closed",
    ] {
        zone.mx(&format!("{domain}.example"), "mx.plain.example");
    }
    Lab::start(release, &authority, &hosts, zone, settings)
}

/// Domains as typed, next-hops as other tables write them, address literals.
fn s7_x1_spellings(release: Release) {
    let transport = "transport_maps=inline:{\
        {port.example=smtp:[mx.smart.example]:587},\
        {service.example=smtp:[mx.smart.example]:submission},\
        {portless.example=smtp:[mx.smart.example]},\
        {capitals.example=smtp:[MX.Smart.Example]:587},\
        {bare.example=smtp:[mx.bare.example]:587},\
        {shared.example=smtp:[mx.shared.example]:2525},\
        {alone.example=smtp:[mx.alone.example]:2525}}";
    let lab = lab(release, &[transport]);
    lab.site.configure(CONNECTORS);
    let daemon = lab.site.serve();
    let named = fates([
        ("user@nobody.example", "P mx.plain.example:25"),
        ("user@UPPER.Example", NO_TLS),
        ("user@münchen.example", NO_TLS),
        ("user@xn--mnchen-3ya.example", NO_TLS),
        ("user@a.b.deep.example", NO_TLS),
        ("user@deep.example", NO_TLS),
        ("user@a.b.below.example", NO_TLS),
        ("user@below.example", "P mx.plain.example:25"),
        ("user@port.example", NO_TLS),
        ("user@service.example", NO_TLS),
        ("user@portless.example", NO_TLS),
        ("user@capitals.example", NO_TLS),
        ("user@bare.example", "P mx.bare.example:587"),
        // The one connector asks for encryption only, the other on this host for a name.
        ("user@shared.example", NOT_VERIFIED),
        ("user@alone.example", "T mx.alone.example:2525"),
        ("user@[192.0.2.10]", "P mx.plain.example:25"),
        ("user@[IPv6:2001:db8::a]", "P mx.plain.example:25"),
    ]);
    lab.send_expecting(&named);

    lab.site.configure(EVERYONE);
    daemon.stop();
    let _daemon = lab.site.serve();
    let everyone = fates([
        ("other@nobody.example", NO_TLS),
        ("other@[192.0.2.10]", NO_TLS),
        ("other@[IPv6:2001:db8::a]", NO_TLS),
    ]);
    lab.send_expecting(&everyone);
}

/// `relayhost` in main.cf, and the transport map wired.
fn x2_relayhost(release: Release) {
    let settings = [
        "relayhost=[relay.lab.example]",
        "transport_maps=socketmap:unix:/connectord/socketmap.sock:transport",
    ];
    let lab = lab(release, &settings);
    let closed = "[[outbound]]\nname = \"closed\"\nmode = \"enforce\"\ndomains = [\"closed.example\"]\ntls = \"encrypt\"\n";
    lab.site.configure(&format!("{CONNECTORS}{closed}"));
    let _daemon = lab.site.serve();
    let expected = fates([
        ("user@nobody.example", "P relay.lab.example:25"),
        ("user@direct.example", "T mx.direct.example:25"),
        ("user@closed.example", NO_TLS),
        ("user@alone.example", "T mx.alone.example:2525"),
        ("user@smart.example", NO_TLS),
        ("user@first.example", NOT_VERIFIED),
    ]);
    lab.send_expecting(&expected);
}

on_each_postfix!(s7_x1_spellings, x2_relayhost);
