//! `prove`: on a correct installation every connector holds; each way round a connector is found, with the connector's
//! name and the server's.

use serde_json::Value;

use crate::certificates::Authority;
use crate::on_each_postfix;
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

on_each_postfix!(a_correct_installation_holds);

const CONNECTORS: &str = r#"
[[outbound]]
name = "good"
mode = "enforce"
domains = ["*.good.example"]
tls = "secure"
match = ["mx.good.example", "*.filter.example"]

[[outbound]]
name = "open"
mode = "enforce"
domains = ["open.example"]
tls = "encrypt"
"#;

impl Practice {
    /// What `prove` says; its exit code says the same.
    fn proof(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["prove", "--json", "--config", "/etc/postfix/connectord.toml"];
        all.extend(arguments);
        let output = self.lab.machine.output("/etc/postfix/connectord", &all);
        let proof: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(output.status.code(), Some(i32::from(proof["verdict"] != "holds")), "{proof}");
        proof
    }
}

fn a_correct_installation_holds(release: Release) {
    let authority = Authority::new("Lab CA");
    let practice = Practice::open(release, &authority, &[], Zone::default());
    practice.agree(CONNECTORS);
    let proof = practice.proof(&[]);
    assert_eq!(proof["verdict"], "holds", "{proof:#}");
}
