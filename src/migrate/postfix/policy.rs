//! What a policy of smtp_tls_policy_maps demands, as the keys of a connector.
//!
//! It is read as smtp_tls_policy.c:tls_policy_lookup_one does. What Postfix would defer mail for, and what version 1 of the
//! configuration has no form for, is no demand, and the reason says which of both: nothing is left out of a demand.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::matching::{self, Matched};
use crate::migrate::{Names as Written, OutboundTerms};
use crate::model::certificate::Fingerprint;
use crate::model::requirement::{CaFile, CipherGrade, Parts, Requirement, ServerName, TlsVersion};
use crate::model::{Domain, Level, Mta};
use crate::protocol::socketmap::REPLY_LIMIT;
use crate::snapshot::render;

/// What main.cf gives where a policy says nothing.
#[derive(Clone, Debug)]
pub struct MainCf {
    /// smtp_tls_security_level.
    pub level: Level,
    /// smtp_tls_verify_cert_match.
    pub verify_match: String,
    /// smtp_tls_secure_cert_match.
    pub secure_match: String,
    /// smtp_tls_fingerprint_cert_match.
    pub fingerprint_match: String,
    /// smtp_tls_fingerprint_digest.
    pub digest: String,
    /// queue_directory, where smtp(8) begins relative paths; none if it is not known.
    pub queue_directory: Option<PathBuf>,
    /// Whether it begins the other ones there too.
    pub is_chrooted: bool,
}

impl Default for MainCf {
    /// The defaults of Postfix 3.6 and newer.
    fn default() -> Self {
        MainCf {
            level: Level::May,
            verify_match: "hostname".to_owned(),
            secure_match: "nexthop, dot-nexthop".to_owned(),
            fingerprint_match: String::new(),
            digest: "sha256".to_owned(),
            queue_directory: None,
            is_chrooted: false,
        }
    }
}

/// What a policy demands. Two are the same if one answer says both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Demand {
    level: Level,
    names: Option<Matched>,
    ca_file: Option<String>,
    pins: BTreeSet<Fingerprint>,
    min_version: Option<TlsVersion>,
    ciphers: Option<CipherGrade>,
    servername: Option<String>,
}

/// The attributes of a policy, as they are written.
#[derive(Default)]
struct Attributes<'v> {
    matched: Vec<&'v str>,
    tafile: Option<&'v str>,
    protocols: Option<&'v str>,
    ciphers: Option<&'v str>,
    servername: Option<&'v str>,
}

impl Demand {
    /// Reads the value of a table. `domain` is the next-hop where there is only one that it can be found for.
    ///
    /// # Errors
    /// Why there can be no connector of it.
    pub fn parse(value: &str, domain: Option<&Domain>, main_cf: &MainCf) -> Result<Demand, String> {
        let separators = [',', ' ', '\t', '\r', '\n'];
        let mut words = value.split(separators).filter(|word| !word.is_empty());
        let level = level(words.next().unwrap_or_default())?;
        let Attributes { matched, tafile, protocols, ciphers, servername } = attributes(words, level)?;
        let mut demand = Demand {
            level,
            names: None,
            ca_file: tafile.map(|path| rooted(path, main_cf)).transpose()?,
            pins: BTreeSet::new(),
            min_version: protocols.map(oldest).transpose()?,
            ciphers: ciphers.map(grade).transpose()?,
            servername: servername.map(server).transpose()?,
        };
        if level == Level::Fingerprint {
            demand.pins = pins(&matched, main_cf)?;
        } else if level.judges_chain() {
            demand.names = matching::read(&matched, level, domain, main_cf)?;
        }
        match Requirement::new(demand.parts()) {
            Ok(requirement) if render::tls_policy(&requirement, &Mta::default()).len() > REPLY_LIMIT => {
                Err(format!("longer than the {REPLY_LIMIT} octets of a reply to Postfix"))
            }
            Ok(_) => Ok(demand),
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                Err(format!("no connector can say that: {}", errors.join("; ")))
            }
        }
    }

    fn parts(&self) -> Parts {
        Parts {
            level: self.level,
            names: self.names.as_ref().map(Matched::names),
            // By its path: what is in the file is not known here.
            ca_file: self.ca_file.as_ref().map(|path| {
                Arc::new(CaFile {
                    path: PathBuf::from(path),
                    pem: Vec::new(),
                    sha256: path.clone(),
                    certificates: BTreeSet::from([Fingerprint::of(path.as_bytes())]),
                })
            }),
            pins: self.pins.clone(),
            min_version: self.min_version,
            ciphers: self.ciphers,
            servername: self.servername.as_deref().and_then(server_name),
        }
    }

    /// It, to be compared with others.
    pub fn requirement(&self) -> Requirement {
        Requirement::new(self.parts()).unwrap_or_else(|_| Requirement::of_main_cf(Level::May))
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether it names the domain asked for, whichever that is.
    pub fn is_of_the_domain(&self) -> bool {
        self.names == Some(Matched::Domain)
    }

    /// The same for one next-hop, with the names spelt out.
    #[must_use]
    pub fn resolved(&self, domain: &Domain) -> Demand {
        let names = self.names.as_ref().map(|names| names.resolved(domain));
        Demand { names, ..self.clone() }
    }

    /// Whether it names authorities.
    pub fn has_ca_file(&self) -> bool {
        self.ca_file.is_some()
    }

    /// Its keys, of a connector for these domains.
    pub fn terms(&self, domains: Vec<String>) -> OutboundTerms {
        OutboundTerms {
            names: match &self.names {
                None => Written::Unsaid,
                Some(Matched::Domain) => Written::Domain,
                Some(Matched::Of(patterns)) => {
                    Written::Of(patterns.iter().map(ToString::to_string).collect())
                }
            },
            ca_file: self.ca_file.clone(),
            fingerprints: self.pins.iter().map(|pin| format!("sha256:{pin}")).collect(),
            protocols: self.min_version.map(|version| format!(">={version}")),
            ciphers: self.ciphers.map(|grade| grade.word().to_owned()),
            servername: self.servername.clone(),
            ..OutboundTerms::new(domains, self.level)
        }
    }

    /// Whether it names no partner: many have it, and it is no part of an agreement.
    pub fn is_common(&self) -> bool {
        !matches!(self.names, Some(Matched::Of(_))) && self.pins.is_empty() && self.ca_file.is_none()
    }
}

fn level(word: &str) -> Result<Level, String> {
    let lower = word.to_ascii_lowercase();
    match Level::from_word(&lower) {
        Some(level) => Ok(level),
        None if lower == "none" => {
            Err("`none` is no TLS at all, and no connector; leave the line in the table".to_owned())
        }
        None => Err(format!("`{word}` is no TLS level: Postfix defers this mail")),
    }
}

fn attributes<'v>(words: impl Iterator<Item = &'v str>, level: Level) -> Result<Attributes<'v>, String> {
    let mut found = Attributes::default();
    for word in words {
        if word.contains(['{', '}']) {
            return Err("braces have no form here; write the attribute without them".to_owned());
        }
        let Some((name, value)) = word.split_once('=') else {
            return Err(format!("`{word}` is no attribute: Postfix defers this mail"));
        };
        let lower = name.to_ascii_lowercase();
        let once = |place: &mut Option<&'v str>| match place.replace(value) {
            None => Ok(()),
            Some(_) if lower == "tafile" => Err("two files of `tafile`; put them into one".to_owned()),
            Some(_) => Err(format!("`{lower}` stands there twice: Postfix defers this mail")),
        };
        let judges = level.judges_chain();
        match lower.as_str() {
            "match" | "tafile" if value.is_empty() => {
                return Err(format!("`{lower}` is empty: Postfix defers this mail"));
            }
            "match" if judges || level == Level::Fingerprint => found.matched.push(value),
            "tafile" if judges => once(&mut found.tafile)?,
            "match" | "tafile" => {
                return Err(format!("`{lower}` is not allowed at `{level}`: Postfix defers this mail"));
            }
            "protocols" => once(&mut found.protocols)?,
            "ciphers" => once(&mut found.ciphers)?,
            "servername" => once(&mut found.servername)?,
            "exclude" | "connection_reuse" | "enable_rpk" | "policy_type" | "policy_domain"
            | "policy_string" | "policy_ttl" | "policy_failure" | "mx_host_pattern" => {
                return Err(format!("a connector has no form for `{lower}`"));
            }
            _ => return Err(format!("`{name}` is no attribute that Postfix knows: it defers this mail")),
        }
    }
    Ok(found)
}

/// A list of protocols that says nothing but an oldest version: `>=TLSv1.2`, or all the older ones with `!`, or all
/// of the newer ones.
fn oldest(list: &str) -> Result<TlsVersion, String> {
    let none =
        || format!("a connector has no form for `protocols={list}`; it knows `>=TLSv1.2` and the like");
    let words: Vec<&str> = list.split(':').filter(|word| !word.is_empty()).collect();
    let version = |word: &str| TlsVersion::ALL.into_iter().find(|version| version.word() == word);
    if let [word] = words.as_slice()
        && let Some(word) = word.strip_prefix(">=")
    {
        return version(word).ok_or_else(none);
    }
    // Nothing that connectord runs beside has SSLv2 and SSLv3.
    let names = words.iter().map(|word| word.strip_prefix('!').unwrap_or(word));
    if words.is_empty()
        || !names.clone().all(|name| matches!(name, "SSLv2" | "SSLv3") || version(name).is_some())
    {
        return Err(none());
    }
    let excluded = words.iter().all(|word| word.starts_with('!'));
    if !excluded && words.iter().any(|word| word.starts_with('!') || word.starts_with("SSL")) {
        return Err(none());
    }
    let listed: BTreeSet<TlsVersion> = names.filter_map(version).collect();
    let allowed: Vec<TlsVersion> =
        TlsVersion::ALL.into_iter().filter(|version| listed.contains(version) != excluded).collect();
    // From the oldest on there is no gap, and no newest one.
    let newest = TlsVersion::ALL.into_iter().rev().take(allowed.len());
    match allowed.first() {
        Some(&first) if newest.eq(allowed.iter().rev().copied()) => Ok(first),
        _ => Err(none()),
    }
}

fn grade(word: &str) -> Result<CipherGrade, String> {
    let grades = [CipherGrade::Medium, CipherGrade::High];
    let grade = grades.into_iter().find(|grade| grade.word().eq_ignore_ascii_case(word));
    grade.ok_or_else(|| format!("a connector has no form for `ciphers={word}`; it knows medium and high"))
}

fn server_name(text: &str) -> Option<ServerName> {
    Some(match text {
        "hostname" => ServerName::HostName,
        "nexthop" => ServerName::NextHop,
        _ => ServerName::Name(Domain::parse(text).ok().filter(|name| name.labels() > 1)?),
    })
}

fn server(text: &str) -> Result<String, String> {
    let is_address = text.parse::<std::net::IpAddr>().is_ok();
    match server_name(text).filter(|_| !is_address && !text.ends_with('.')) {
        Some(name) => Ok(name.to_string()),
        None => Err(format!("`servername={text}` is no name that a connector can send")),
    }
}

/// `digest|digest`, or main.cf's list.
fn pins(matched: &[&str], main_cf: &MainCf) -> Result<BTreeSet<Fingerprint>, String> {
    if main_cf.digest != "sha256" {
        return Err(format!(
            "smtp_tls_fingerprint_digest is `{}`, and connectors know SHA-256 alone: pin it anew",
            main_cf.digest
        ));
    }
    let listed = || matched.iter().flat_map(|list| list.split('|')).filter(|digest| !digest.is_empty());
    let from_main_cf = main_cf.fingerprint_match.split([',', ' ', '\t']).filter(|digest| !digest.is_empty());
    let all: Vec<&str> = if matched.is_empty() { from_main_cf.collect() } else { listed().collect() };
    if all.is_empty() {
        return Err("no digest to match: Postfix defers this mail, if main.cf has none".to_owned());
    }
    let pin = |digest: &&str| {
        Fingerprint::parse(&format!("sha256:{digest}")).map_err(|_| {
            format!("`{digest}` is no SHA-256 digest, and connectors know no other: pin it anew")
        })
    };
    all.iter().map(pin).collect()
}

/// The path that smtp(8) opens, as it is seen from outside of its chroot.
fn rooted(path: &str, main_cf: &MainCf) -> Result<String, String> {
    match &main_cf.queue_directory {
        Some(directory) if main_cf.is_chrooted || !path.starts_with('/') => {
            Ok(directory.join(path.trim_start_matches('/')).to_string_lossy().into_owned())
        }
        None if !path.starts_with('/') => Err(format!(
            "`tafile={path}` begins in queue_directory, of which a table alone says nothing: import it with --config-dir"
        )),
        Some(_) | None => Ok(path.to_owned()),
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
