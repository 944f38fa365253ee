//! What postmap(1) of both versions reads from the socket is what `explain` says.

use crate::certificates::Authority;
use crate::lab::Lab;
use crate::on_each_postfix;
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[outbound]]
name = "contoso"
mode = "enforce"
domains = ["*.contoso.com"]
except = ["lists.contoso.com"]
tls = "secure"
match = ["*.contoso.com", "mx.partner.example"]
protocols = ">=TLSv1.2"

[[outbound]]
name = "smart"
mode = "enforce"
domains = ["smart.example"]
tls = "verify"
route = ["[mail.smart.example]:587"]
"#;

const MAP: &str = "socketmap:unix:/var/spool/postfix/connectord/socketmap.sock:tls";

const KEYS: [&str; 9] = [
    "contoso.com",
    "CONTOSO.com",
    "a.b.contoso.com",
    "lists.contoso.com",
    ".contoso.com",
    "nobody.example",
    "[mail.smart.example]:587",
    "[mail.smart.example]:submission",
    "smart.example",
];

/// The reply as it was on the wire, from what postmap made of it.
pub fn postmap(lab: &Lab, key: &str) -> String {
    let output = lab.machine.output("postmap", &["-q", key, MAP]);
    let errors = String::from_utf8_lossy(&output.stderr);
    let found = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => format!("OK {}", found.trim_end_matches('\n')),
        Some(1) if errors.is_empty() => "NOTFOUND ".to_owned(),
        _ => format!("{}: {errors}", output.status),
    }
}

fn z4_agrees_with_explain(release: Release) {
    let lab: Lab = Lab::start(release, &Authority::new("Lab CA"), &[], Zone::default(), &[]);
    lab.site.configure(CONNECTORS);
    let _daemon = lab.site.serve();
    let contoso = "OK secure match=contoso.com:.contoso.com:mx.partner.example protocols=>=TLSv1.2";
    assert_eq!(postmap(&lab, "contoso.com"), contoso);
    for key in KEYS {
        let explained = lab.site.json(&["explain", "outbound", key, "--json"]);
        let step = &explained["steps"][0];
        assert_eq!(step["map"], "tls", "{explained}");
        assert_eq!(step["reply"].as_str(), Some(postmap(&lab, key).as_str()), "{key}");
    }
}

on_each_postfix!(z4_agrees_with_explain);
