//! What a connector is to Postfix, as text: made once, at load.
//!
//! The syntax is that of smtp_tls_policy_maps (postconf(5)) and of transport(5). Postfix knows no
//! quoting there, and anything it does not understand defers the mail (or, for `match=*.x`,
//! silently matches nothing), so every value comes from a type whose alphabet is closed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::model::names::Names;
use crate::model::outbound::Route;
use crate::model::pattern::Entry;
use crate::model::requirement::{Anchors, CaFile, Requirement};
use crate::model::{Level, Mta, Outbound, PatternSet};

/// The directory under the queue directory where trust anchors are published.
pub const CA_DIRECTORY: &str = "connectord-ca";

/// How much of the digest names a published file: 128 bits.
const CA_NAME: usize = 32;

/// Where a file of trust anchors is published, relative to the queue directory: by its digest,
/// so that a renewed file is another file and takes effect with the snapshot that names it.
pub fn published_name(file: &CaFile) -> PathBuf {
    let digest = file.sha256.get(..CA_NAME).unwrap_or(&file.sha256);
    Path::new(CA_DIRECTORY).join(format!("{digest}.pem"))
}

/// The value of the map `tls`: `LEVEL match=.. tafile=.. servername=.. protocols=.. ciphers=..`.
pub fn tls_policy(requirement: &Requirement, mta: &Mta) -> String {
    let mut policy = String::from(requirement.level().word());
    match requirement.names() {
        // Postfix's default at `verify`; at the other levels no name is checked.
        Names::Any | Names::MxHost => {}
        Names::Domain => policy.push_str(" match=nexthop:dot-nexthop"),
        Names::Set(patterns) => attribute(&mut policy, "match", &match_list(patterns)),
    }
    if let Some(pins) = requirement.pins() {
        let pins: Vec<String> = pins.iter().map(ToString::to_string).collect();
        attribute(&mut policy, "match", &pins.join("|"));
    }
    if let Anchors::File(file) = requirement.anchors() {
        attribute(&mut policy, "tafile", &anchor_path(file, mta).to_string_lossy());
    }
    if let Some(name) = requirement.servername() {
        attribute(&mut policy, "servername", &name.to_string());
    }
    if let Some(version) = requirement.min_version() {
        attribute(&mut policy, "protocols", &format!(">={version}"));
    }
    if let Some(grade) = requirement.ciphers() {
        attribute(&mut policy, "ciphers", grade.word());
    }
    policy
}

/// The path that smtp(8) opens. A relative one is relative to the queue directory, chrooted or
/// not (smtp(8) runs with it as its working directory).
fn anchor_path(file: &CaFile, mta: &Mta) -> PathBuf {
    if mta.queue_directory.is_some() { published_name(file) } else { file.path.clone() }
}

/// The path of trust anchors that would be taken apart: Postfix splits a policy at commas and
/// white space (smtp_tls_policy.c, `CHARS_COMMA_SP`), and a brace begins a quoted attribute.
pub fn unspeakable_anchor(requirement: &Requirement, mta: &Mta) -> Option<PathBuf> {
    let Anchors::File(file) = requirement.anchors() else {
        return None;
    };
    let path = anchor_path(file, mta);
    let plain =
        |text: &str| text.chars().all(|c| !c.is_whitespace() && !c.is_control() && !",{}".contains(c));
    if path.to_str().is_some_and(plain) { None } else { Some(path) }
}

fn attribute(policy: &mut String, name: &str, value: &str) {
    write!(policy, " {name}={value}").expect("writing to a string cannot fail");
}

/// Names for `match=`. Postfix has no `*.x`: an entry that looks like one only matches a
/// certificate that literally shows it; `.x` matches what is below and never `x` itself.
fn match_list(patterns: &PatternSet) -> String {
    let mut names: Vec<String> = Vec::new();
    for entry in patterns.entries() {
        let name = match entry {
            Entry::Name(_) | Entry::Suffix(_) => entry.to_string(),
            // A bare star never reaches Postfix; `config` refuses it in `match`.
            Entry::Any => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(":")
}

/// The value of the map `transport`.
pub fn transport(outbound: &Outbound, mta: &Mta) -> String {
    let service = outbound.transport.as_ref().unwrap_or(&mta.transport);
    match &outbound.route {
        // An empty next-hop is the recipient's domain: the mail keeps its key, whatever
        // `relayhost` says (trivial-rewrite(8), resolve.c).
        Route::Mx => format!("{service}:"),
        Route::SmartHosts(hosts) => {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            format!("{service}:{}", hosts.join(", "))
        }
    }
}

/// What Postfix does with a level, in words for `explain`.
pub fn meaning(level: Level) -> &'static str {
    match level {
        Level::May => "uses TLS when the partner offers it, plaintext otherwise",
        Level::Encrypt => "delivers over TLS with any certificate, or defers",
        Level::Verify => {
            "delivers over TLS to a certificate that a trusted authority issued for the name, or defers"
        }
        Level::Secure => {
            "delivers over TLS to a certificate that a trusted authority issued for one of the names, or defers"
        }
        Level::Fingerprint => "delivers over TLS to a certificate or key with one of the digests, or defers",
        Level::Dane => "delivers as usable TLSA records demand; without them as at `may`, plaintext included",
        Level::DaneOnly => "delivers as usable TLSA records demand, or defers",
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
