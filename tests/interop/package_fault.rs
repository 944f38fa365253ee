//! A fault in the mail server of a host where the package is installed: mail leaves that has to wait, `doctor` says why,
//! and with its commands, run as they are printed under the systemd that is there, everything is as agreed.

use serde_json::Value;

use crate::booted::Booted;
use crate::newcomer::{Newcomer, World};
use crate::postfix::until_others_serve;

/// What somebody does to the settings, and what `doctor` says of it.
pub struct Fault {
    made_by: &'static str,
    mta: &'static str,
    id: &'static str,
    place: &'static str,
    /// What it says when nobody answers, and the unit of the socket.
    away: &'static str,
    unit: &'static str,
}

pub const POSTFIX: Fault = Fault {
    made_by: "postconf -e smtp_tls_policy_maps= && postfix reload",
    mta: "postfix",
    id: "postfix-policy-missing",
    place: "main.cf: smtp_tls_policy_maps = ",
    away: "postfix-daemon-unreached",
    unit: "connectord.socket",
};

pub const EXIM: Fault = Fault {
    made_by: "printf 'site_direct:\\n driver = dnslookup\\n domains = ! +local_domains\\n transport = remote_smtp\\n' \
              > /etc/exim4/conf.d/router/01_site; update-exim4.conf && systemctl reload exim4",
    mta: "exim",
    id: "exim-router-before",
    place: "router site_direct: domains = ! +local_domains",
    away: "exim-socket-access",
    unit: "connectord-exim.socket",
};

/// What is found, with the exit code.
fn doctor(machine: &Booted, mta: &str) -> (Option<i32>, Vec<Value>) {
    let output = machine.run(&["connectord", "doctor", mta, "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report["findings"].as_array().unwrap().clone())
}

/// The README's partner is enforced, before this and behind it; so it is when the daemon was stopped.
pub fn suffers_and_heals(machine: &Booted, world: &World, newcomer: &Newcomer<'_>, fault: &Fault) {
    let Fault { made_by, mta, id, place, away, unit } = fault;
    assert_eq!(doctor(machine, mta), (Some(0), Vec::new()));
    let shell = |command: &str| machine.good(&["sh", "-ec", command]);
    let look = |script: &str| machine.good(&["sh", "-c", script]);
    until_others_serve(look, || drop(shell(made_by)));
    // The second one has a certificate for another name.
    world.send(
        machine,
        [
            ("faulty@contoso.com", "T mx1.contoso.com:25"),
            ("faulty@branch.contoso.com", "T mx.elsewhere.example:25"),
            ("faulty@other.example", "P mx.other.example:25"),
        ],
    );
    let (code, findings) = doctor(machine, mta);
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    let found = (code, finding["id"].as_str(), finding["where"].as_str(), &finding["connectors"]);
    assert_eq!(found, (Some(1), Some(*id), Some(*place), &Value::from(vec!["contoso-bank"])), "{finding:#?}");
    until_others_serve(look, || obey(machine, finding));
    assert_eq!(doctor(machine, mta), (Some(0), Vec::new()));
    newcomer.obeyed("mended");

    // Whoever asks at its other socket would start it.
    machine.good(&["systemctl", "stop", "connectord.service", "connectord-control.socket", unit]);
    world.send(machine, [("away@other.example", "D")]);
    let (code, findings) = doctor(machine, mta);
    assert!(code == Some(1) && findings.iter().all(|finding| finding["id"] == *away), "{findings:#?}");
    obey(machine, &findings[0]);
    assert_eq!(doctor(machine, mta), (Some(0), Vec::new()));
    world.retry(machine, [("away@other.example", "P mx.other.example:25")]);
}

/// Runs the commands of a finding as they are printed.
fn obey(machine: &Booted, finding: &Value) {
    let mend: Vec<&str> = finding["mend"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    assert!(!mend.is_empty(), "{finding:#?}");
    mend.iter().for_each(|command| drop(machine.good(&["sh", "-ec", command])));
}
