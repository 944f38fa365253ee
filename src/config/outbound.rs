//! `[[outbound]]`: a connector from us to a partner.

use toml::de::DeValue;

use super::keys;
use super::patterns;
use super::problem::shown;
use super::reading::Reading;
use super::references::{Mention, mention};
use super::requirement;
use super::source::Source;
use super::table::{Item, Legal, Table};
use super::{mta, notes};
use crate::model::mta::{Mta, PostfixVersion};
use crate::model::names::Names;
use crate::model::outbound::Route;
use crate::model::{Address, Level, Mode, NextHop, Outbound, Pattern, PatternList, PatternSet, Place};
use crate::snapshot::Direction;

/// The legal keys.
pub(super) const LEGAL: Legal =
    Legal { title: "[[outbound]]", prefix: "", keys: keys::OUTBOUND, notes: true, main_only: &[] };

pub(super) const VALIDATE: Legal =
    Legal { title: "validate", prefix: "validate.", keys: keys::VALIDATE, notes: false, main_only: &[] };

/// The modes with their words.
pub(super) const MODES: [(&str, Mode); 3] =
    [("enforce", Mode::Enforce), ("report", Mode::Report), ("off", Mode::Off)];

/// What to write for a missing `mode`.
pub(super) const MODE_HELP: &str = "write enforce, report (decide and log, change nothing) or off";

/// Reads a connector. It is there only when nothing is wrong with it.
pub(super) fn read(
    reading: &mut Reading,
    table: &Table<'_>,
    source: &Source,
    mta: &Mta,
) -> (Mention, Option<Outbound>) {
    let before = reading.problems.len();
    let (mut mention, name) = mention(reading, table, Direction::Outbound);
    let mode = table.demand(reading, "mode", MODE_HELP).and_then(|item| item.word(reading, &MODES));
    let domains = domains(reading, table, source, &mut mention);
    let except = patterns_of(reading, table, "except");
    let (requirement, certificates) = requirement::read(reading, table, source, mta);
    let route =
        route(reading, table, mta, &domains, requirement.as_ref().map(|requirement| requirement.names()));
    let transport = table.find("transport").and_then(|item| mta::transport(reading, item));
    let validate_recipients = recipients(reading, table, &domains, &except);
    let notes = notes::read(reading, table, source);

    let partner = domains.iter().any(|pattern| pattern != Pattern::Any);
    if let (Some(requirement), Some(item)) = (&requirement, table.find("tls"))
        && matches!(requirement.level(), Level::May | Level::Dane)
        && partner
        && mode != Some(Mode::Off)
    {
        let level = requirement.level();
        let when = if level == Level::May {
            "whenever the partner offers no TLS"
        } else {
            "whenever the partner has no usable TLSA records"
        };
        let message = format!("at `{level}` mail to this partner leaves in plaintext {when}");
        reading.warn(item.place, message, "agree on `encrypt` at least, or `dane-only`");
    }

    let connector = || {
        Some(Outbound {
            name: name?,
            mode: mode?,
            domains,
            except: PatternSet::new(except),
            overrides: mention.overrides.iter().map(|(name, _)| name.clone()).collect(),
            requirement: requirement?,
            certificates,
            route,
            transport,
            validate_recipients,
            notes,
            place: place(source, table),
        })
    };
    let connector = if reading.problems.len() == before { connector() } else { None };
    (mention, connector)
}

/// Where a connector's table begins.
pub(super) fn place(source: &Source, table: &Table<'_>) -> Place {
    Place { file: source.name.clone(), line: source.position(table.header.start).0 }
}

/// The patterns of an optional list.
pub(super) fn patterns_of(reading: &mut Reading, table: &Table<'_>, key: &'static str) -> Vec<Pattern> {
    let Some(item) = table.find(key) else {
        return Vec::new();
    };
    let texts = item.texts(reading);
    patterns::each(reading, &texts, patterns::domain)
}

fn domains(reading: &mut Reading, table: &Table<'_>, source: &Source, mention: &mut Mention) -> PatternList {
    match (table.find("domains"), table.find("domains_file")) {
        (Some(_), Some(file)) => {
            let help = "keep one of the two; a second connector can have the other";
            reading.problem(file.key_place, "`domains` and `domains_file` exclude each other", help);
            patterns_of(reading, table, "domains").into()
        }
        (Some(_), None) => patterns_of(reading, table, "domains").into(),
        (None, Some(file)) => match patterns::list_file(reading, file, source) {
            Some((rank, patterns)) => {
                mention.list = Some(rank);
                patterns
            }
            None => PatternList::default(),
        },
        (None, None) => {
            let help = "write the partner's domains, such as domains = [\"*.contoso.com\"], or domains_file";
            reading.problem(table.header, "`domains` is missing", help);
            PatternList::default()
        }
    }
}

fn route(
    reading: &mut Reading,
    table: &Table<'_>,
    mta: &Mta,
    domains: &PatternList,
    names: Option<&Names>,
) -> Route {
    let Some(item) = table.find("route") else {
        return Route::Mx;
    };
    if let DeValue::String(word) = item.value() {
        if word != "mx" {
            let help = "write \"mx\", or a list of smart hosts such as [\"[mail.contoso.com]:587\"]";
            reading.problem(item.place, format!("{} is no route", shown(word)), help);
        }
        return Route::Mx;
    }
    let hosts = smart_hosts(reading, item);
    if hosts.len() > 1 {
        requirement::newer(reading, item, mta, PostfixVersion::NEXT_HOP_LIST);
    }
    if domains.has_any() {
        reading.problem(
            item.key_place,
            "a connector for \"*\" cannot have smart hosts: Postfix would send mail to our own users there too",
            "set relayhost in main.cf; the connector follows it",
        );
    }
    if names == Some(&Names::Domain)
        && let Some(names) = table.find("match")
    {
        reading.problem(
            names.place,
            "with smart hosts Postfix would compare the certificate with the smart host's name, not with the domain's",
            "write the names that the smart host's certificate shows",
        );
    }
    Route::SmartHosts(hosts)
}

fn smart_hosts(reading: &mut Reading, item: Item<'_>) -> Vec<NextHop> {
    let mut hosts = Vec::new();
    for text in item.texts(reading) {
        match NextHop::parse(text.text) {
            Ok(host) => hosts.push(host),
            Err(error) => {
                let help = "write [host]:port for a host, or a domain without brackets for its MX hosts";
                reading.problem(text.place, format!("{} is no smart host: {error}", shown(text.text)), help);
            }
        }
    }
    hosts
}

/// Whose address is in none of the connector's domains would get mail through somebody else's server.
fn recipients(
    reading: &mut Reading,
    table: &Table<'_>,
    domains: &PatternList,
    except: &[Pattern],
) -> Vec<String> {
    let Some(validate) = table.find("validate").and_then(|item| item.table(reading, VALIDATE)) else {
        return Vec::new();
    };
    let Some(item) = validate.find("recipients") else {
        return Vec::new();
    };
    let mut recipients = Vec::new();
    for text in item.texts(reading) {
        let Some(address) = Address::parse(text.text) else {
            let message = format!("{} is no mail address of ASCII letters", shown(text.text));
            reading.problem(text.place, message, "write an address such as postmaster@contoso.com");
            continue;
        };
        let domain = address.domain();
        let excepted = || except.iter().any(|pattern| pattern.covers(domain.as_str()));
        // Domains with a problem of their own are not all known.
        if reading.problems.is_empty()
            && !domains.is_empty()
            && (!domains.covers(domain.as_str()) || excepted())
        {
            let message = format!("{} is in none of the connector's domains", shown(text.text));
            reading.problem(text.place, message, "name somebody at the partner, or add the domain");
            continue;
        }
        recipients.push(text.text.to_owned());
    }
    recipients
}
