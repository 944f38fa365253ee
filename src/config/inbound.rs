//! `[[inbound]]`: a connector from a partner to us.

use toml::de::DeValue;

use super::addresses::{self, Use};
use super::certificates;
use super::keys;
use super::notes;
use super::outbound::{MODE_HELP, MODES, patterns_of, place};
use super::patterns;
use super::problem::shown;
use super::reading::Reading;
use super::references::{Mention, mention};
use super::requirement::min_version;
use super::source::Source;
use super::table::{Item, Legal, Table};
use crate::model::inbound::{Action, CertificateRequirement, Identify, Require, TlsRequirement};
use crate::model::names::satisfied_by;
use crate::model::{Inbound, Mode, PatternSet};
use crate::snapshot::Direction;

/// The legal keys.
pub(super) const LEGAL: Legal =
    Legal { title: "[[inbound]]", prefix: "", keys: keys::INBOUND, notes: true, main_only: &[] };

pub(super) const IDENTIFY: Legal =
    Legal { title: "identify", prefix: "identify.", keys: keys::IDENTIFY, notes: false, main_only: &[] };

pub(super) const REQUIRE: Legal =
    Legal { title: "require", prefix: "require.", keys: keys::REQUIRE, notes: false, main_only: &[] };

pub(super) const CERTIFICATE: Legal = Legal {
    title: "require.certificate",
    prefix: "require.certificate.",
    keys: keys::CERTIFICATE,
    notes: false,
    main_only: &[],
};

const ACTIONS: [(&str, Action); 3] =
    [("reject", Action::Reject), ("defer", Action::Defer), ("hold", Action::Hold)];

/// Reads a connector. It is there only when nothing is wrong with it.
pub(super) fn read(reading: &mut Reading, table: &Table<'_>, source: &Source) -> (Mention, Option<Inbound>) {
    let before = reading.problems.len();
    let (mention, name) = mention(reading, table, Direction::Inbound);
    let mode = table.demand(reading, "mode", MODE_HELP).and_then(|item| item.word(reading, &MODES));
    let identify = identify(reading, table);
    let recipients =
        table.find("recipients").map(|_| PatternSet::new(patterns_of(reading, table, "recipients")));
    let require = require(reading, table, source);
    let action_item = table.demand(reading, "on_violation", "write reject, defer or hold");
    let on_violation = action_item.and_then(|item| item.word(reading, &ACTIONS));
    if let (Some(Action::Hold), Some(item)) = (on_violation, action_item)
        && mode != Some(Mode::Off)
    {
        reading.warn(
            item.place,
            "`hold` is best effort: before a proxy filter Postfix drops it and delivers the mail; Exim defers instead",
            "write \"defer\" or \"reject\" where the mail must not get through",
        );
    }
    let notes = notes::read(reading, table, source);

    let connector = || {
        Some(Inbound {
            name: name?,
            mode: mode?,
            identify,
            recipients,
            require,
            on_violation: on_violation?,
            overrides: mention.overrides.iter().map(|(name, _)| name.clone()).collect(),
            notes,
            place: place(source, table),
        })
    };
    let connector = if reading.problems.len() == before { connector() } else { None };
    (mention, connector)
}

fn identify(reading: &mut Reading, table: &Table<'_>) -> Identify {
    const HELP: &str = "write identify.domains (of the sender) or identify.addresses (of the client)";
    let mut identify = Identify::default();
    let Some(item) = table.find("identify") else {
        reading.problem(
            table.header,
            "`identify` is missing: the connector says of no mail that it is the partner's",
            HELP,
        );
        return identify;
    };
    let Some(table) = item.table(reading, IDENTIFY) else {
        return identify;
    };
    identify.domains = patterns_of(reading, &table, "domains");
    if let Some(item) = table.find("addresses") {
        identify.addresses = addresses::ranges(reading, item, Use::Identify);
    }
    if let Some(item) = table.find("except_addresses") {
        identify.except_addresses = addresses::ranges(reading, item, Use::Exempt);
    }
    if table.find("domains").is_none() && table.find("addresses").is_none() {
        reading.problem(item.key_place, "`identify` says of no mail that it is the partner's", HELP);
    }
    identify
}

fn require(reading: &mut Reading, table: &Table<'_>, source: &Source) -> Require {
    const HELP: &str = "write require.tls, require.certificate.names or .files, or require.addresses";
    let mut require = Require::default();
    let Some(item) = table.find("require") else {
        reading.problem(table.header, "`require` is missing: the connector demands nothing", HELP);
        return require;
    };
    let Some(table) = item.table(reading, REQUIRE) else {
        return require;
    };
    require.tls = table.find("tls").and_then(|item| tls(reading, item));
    require.certificate = table
        .find("certificate")
        .and_then(|item| Some((item, item.table(reading, CERTIFICATE)?)))
        .map(|(item, table)| certificate(reading, item, &table, source));
    require.addresses = table.find("addresses").map(|item| addresses::ranges(reading, item, Use::Require));
    if ["tls", "certificate", "addresses"].iter().all(|key| table.find(key).is_none()) {
        reading.problem(item.key_place, "`require` demands nothing", HELP);
    }
    require
}

fn tls(reading: &mut Reading, item: Item<'_>) -> Option<TlsRequirement> {
    match item.value() {
        DeValue::Boolean(true) => Some(TlsRequirement::Any),
        DeValue::Boolean(false) => {
            let help = "leave the key out; set mode = \"off\" to switch the connector off";
            reading.problem(
                item.place,
                "`require.tls` cannot be false: a connector demands, it does not allow",
                help,
            );
            None
        }
        DeValue::String(_) => min_version(reading, item).map(TlsRequirement::AtLeast),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => {
            item.wrong_type(reading, "true, or a minimum version such as \">=TLSv1.2\"");
            None
        }
    }
}

fn certificate(
    reading: &mut Reading,
    item: Item<'_>,
    table: &Table<'_>,
    source: &Source,
) -> CertificateRequirement {
    let names = table.find("names").map(|item| {
        let texts = item.texts(reading);
        PatternSet::new(patterns::each(reading, &texts, patterns::certificate_name))
    });
    let mut registered = Vec::new();
    if let Some(item) = table.find("files") {
        registered = certificates::named(reading, item, source);
    }
    let issuers = table.find("issuers").map(|item| {
        let texts = item.texts(reading);
        for text in texts.iter().filter(|text| text.text.trim().is_empty()) {
            reading.problem(
                text.place,
                "an issuer without a name",
                "write the common name or the organisation of the issuer",
            );
        }
        texts.iter().map(|text| text.text.to_owned()).collect()
    });
    match (table.find("names"), table.find("issuers"), table.find("files")) {
        (None, None, None) => {
            reading.problem(item.key_place, "`require.certificate` demands nothing", "write names or files");
        }
        (None, Some(issuers), _) => {
            let help = "write require.certificate.names too; with `files` alone being registered is enough";
            reading.problem(
                issuers.key_place,
                "`issuers` says whose word on a name counts; there are no `names`",
                help,
            );
        }
        (Some(item), None, None) => reading.warn(
            item.key_place,
            "any authority that smtpd trusts could vouch for these names",
            "add require.certificate.issuers, or the certificate itself as require.certificate.files",
        ),
        _ => {}
    }
    if let Some(names) = &names {
        for (file, place) in &registered {
            if !file.certificate.registered_identities().iter().any(|name| satisfied_by(names, name)) {
                let message = format!(
                    "the certificate in {} shows none of `names`, so it will not be accepted",
                    shown(&file.file)
                );
                reading.warn(
                    *place,
                    message,
                    "correct `names`, or leave them out: being registered is then enough",
                );
            }
        }
    }
    CertificateRequirement {
        names,
        issuers,
        registered: registered.into_iter().map(|(file, _)| file).collect(),
    }
}
