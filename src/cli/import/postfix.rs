//! `connectord import postfix`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use clap::Args;

use super::installed::Installed;
use super::mode::Imported;
use super::{input, summary};
use crate::cli::{Exit, Failure, Output};
use crate::config;
use crate::migrate::postfix::plan::{self, Import};
use crate::migrate::postfix::policy::MainCf;
use crate::migrate::postfix::routes;
use crate::migrate::postfix::senders::{self, Access};
use crate::migrate::postfix::table::{self, Table};
use crate::migrate::{Draft, Refused, Unique};
use crate::model::{Level, Mode};
use crate::mta::postfix::postconf;
use crate::mta::postfix::postmap::Postmap;
use crate::mta::postfix::restrictions::{Restriction, Subject, access_table, in_full};
use crate::mta::postfix::settings::{Settings, tables};

/// The options of `import postfix`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// A table of smtp_tls_policy_maps in text form, as postmap(1) and `texthash:` read it
    ///
    /// What main.cf says is not looked at: a policy without `match` means Postfix's default, and what there is
    /// without the table is taken for `may`. Without a file it is the tables that main.cf names, and what it says counts.
    #[arg(conflicts_with = "config_dir")]
    file: Option<PathBuf>,
    /// The directory of main.cf and master.cf [default: the one that Postfix was built with]
    #[arg(long, value_name = "DIR")]
    config_dir: Option<PathBuf>,
    /// The mode of the connectors
    #[arg(long, value_enum, default_value = "report")]
    mode: Imported,
}

pub(super) fn run(options: &Options, out: &mut Output) -> Result<Exit, Failure> {
    let Options { file, config_dir, mode } = options;
    let (head, Import { drafts, refused, .. }) = match file {
        Some(file) => of_file(file, (*mode).into())?,
        None => of_installed(config_dir.as_deref(), (*mode).into())?,
    };
    summary::write(&head, &drafts, &refused, out)
}

fn of_file(file: &Path, mode: Mode) -> Result<(Vec<String>, Import), Failure> {
    let text = match input::read(file)? {
        Ok(text) => text,
        Err(refused) => return Ok((Vec::new(), Import { refused: vec![refused], ..Import::default() })),
    };
    let table = table::lines(&file.display().to_string(), &text);
    let lines = table.written.len();
    let mut import = plan::outbound(table, Vec::new(), &MainCf::default(), mode, &mut Unique::default());
    import.refused.sort_by_key(|refused| refused.line);
    let head = vec![
        format!(
            "Imported from {}, a table of smtp_tls_policy_maps with {lines} entries. Lines not imported: {}.",
            file.display(),
            import.refused.len()
        ),
        "What Postfix does without the table is taken for `may`: smtp_tls_security_level and [mta] level say what it is."
            .to_owned(),
        HOSTS.to_owned(),
    ];
    Ok((head, import))
}

/// Where the answers are not those of the table.
const HOSTS: &str = "Postfix asks a table for a next-hop such as [mail.contoso.com]:587 as it is written, and for nothing wider: \
                     without a line it has main.cf's level. The daemon answers for it by the connector for mail.contoso.com or \
                     for what is around it, be that stricter or weaker than main.cf.";

/// Where check_sender_access may stand.
const RESTRICTIONS: [&str; 7] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
];

fn of_installed(config_dir: Option<&Path>, mode: Mode) -> Result<(Vec<String>, Import), Failure> {
    // postconf(1) is run elsewhere.
    let directory = config_dir.map(config::absolute);
    let settings = postconf::settings(directory.as_deref())?;
    let version = settings.version().map_err(postconf::Error::from)?;
    let postmap =
        Postmap { config_directory: directory, queue_directory: settings.main("queue_directory").into() };
    let installed = Installed { settings: &settings, postmap: &postmap };

    let list = settings.main("smtp_tls_policy_maps");
    let table = installed.entries("smtp_tls_policy_maps", list);
    let entries = table.written.len();
    let mut ways = installed.entries("transport_maps", settings.main("transport_maps"));
    let mut refused = std::mem::take(&mut ways.refused);
    refused.extend(ways.unread());
    let services = settings.running("smtp").filter_map(|service| service.name.split('/').next());
    let services: HashSet<String> = services.map(str::to_owned).collect();
    let mut ways = routes::read(ways, &services);
    if settings.main("parent_domain_matches_subdomains").contains("transport_maps") && !ways.is_empty() {
        ways.clear();
        refused.push(of_main_cf(
            "parent_domain_matches_subdomains",
            "its transport_maps has no form in connectors",
        ));
    }
    let main_cf = main_cf(&settings);
    let mut names = Unique::default();
    let mut import = plan::outbound(table, ways, &main_cf, mode, &mut names);
    import.refused.append(&mut refused);
    let mut refused = std::mem::take(&mut import.refused);
    refused.extend(elsewhere(&settings));
    let (inbound, not) = of_senders(&installed, mode, &mut names);
    import.drafts.extend(inbound);
    refused.extend(not);
    let head = vec![
        format!(
            "Imported from the tables of Postfix {version}, {entries} entries of smtp_tls_policy_maps among them. Not \
                 imported, of all that was looked at: {}.",
            refused.len()
        ),
        format!("What Postfix does without them is `{}`: [mta] level has to say that.", main_cf.level),
        format!(
            "{} entries of transport_maps lead to smart hosts that have no policy, and stay as they are.",
            import.unsaid
        ),
        HOSTS.to_owned(),
    ];
    Ok((head, Import { refused, ..import }))
}

fn of_main_cf(setting: &str, reason: &str) -> Refused {
    Refused { file: "main.cf".to_owned(), line: None, subject: setting.to_owned(), reason: reason.to_owned() }
}

fn main_cf(settings: &Settings) -> MainCf {
    let main = |name: &str| settings.main(name).to_owned();
    MainCf {
        level: level(settings),
        verify_match: main("smtp_tls_verify_cert_match"),
        secure_match: main("smtp_tls_secure_cert_match"),
        fingerprint_match: main("smtp_tls_fingerprint_cert_match"),
        digest: main("smtp_tls_fingerprint_digest"),
        queue_directory: Some(main("queue_directory").into()),
        is_chrooted: settings.service("smtp/unix").is_some_and(|service| settings.is_chrooted(service)),
    }
}

/// What mail without a policy has (smtp_tls_policy.c:global_tls_level); `none` is no weaker to connectors than `may`.
fn level(settings: &Settings) -> Level {
    let is = |name: &str| settings.main(name) == "yes";
    match Level::from_word(settings.main("smtp_tls_security_level")) {
        Some(level) => level,
        None if !settings.main("smtp_tls_security_level").is_empty() || !is("smtp_enforce_tls") => Level::May,
        None if is("smtp_tls_enforce_peername") => Level::Verify,
        None => Level::Encrypt,
    }
}

/// Services that obey other tables than main.cf's.
fn elsewhere(settings: &Settings) -> Vec<Refused> {
    let named = |name: &str, value: &str| match name {
        "smtp_tls_policy_maps" => !value.is_empty(),
        _ => RESTRICTIONS.contains(&name) && sender_tables(settings, name, value).next().is_some(),
    };
    let all = settings
        .services()
        .flat_map(|service| service.all().map(move |(name, value)| (service, name, value)));
    all.filter(|(_, name, value)| named(name, value))
        .map(|(service, name, _)| Refused {
            file: "master.cf".to_owned(),
            line: None,
            subject: service.name.clone(),
            reason: format!("its own {name} was not looked at"),
        })
        .collect()
}

/// The tables that a list of restrictions asks about senders, with what asks them.
fn sender_tables<'s>(
    settings: &'s Settings,
    setting: &str,
    list: &'s str,
) -> impl Iterator<Item = (Restriction<'s>, &'s str)> {
    let classes = tables(settings.main("smtpd_restriction_classes"));
    let class = |name: &str| classes.contains(&name).then(|| settings.main(name));
    // Behind warn_if_reject nothing is refused.
    let all = in_full(list, &class).into_iter().filter(|restriction| !restriction.only_warns);
    all.filter_map(move |restriction| match access_table(&restriction, setting)? {
        (Subject::Sender, table) => Some((restriction, table)),
        (Subject::Client | Subject::Anything | Subject::Recipient, _) => None,
    })
}

fn of_senders(installed: &Installed<'_>, mode: Mode, names: &mut Unique) -> (Vec<Draft>, Vec<Refused>) {
    let settings = installed.settings;
    let classes = tables(settings.main("smtpd_restriction_classes"));
    let classes: HashMap<String, String> =
        classes.into_iter().map(|class| (class.to_owned(), settings.main(class).to_owned())).collect();
    let parents = settings.main("parent_domain_matches_subdomains").contains("smtpd_access_maps");
    let access = Access { classes, parents, code: settings.main("plaintext_reject_code").to_owned() };
    let (mut all, mut refused) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for setting in RESTRICTIONS {
        let class = |name: &str| access.classes.contains_key(name).then(|| settings.main(name));
        for restriction in in_full(settings.main(setting), &class) {
            // Behind warn_if_reject nothing is refused.
            let table = access_table(&restriction, setting).filter(|_| !restriction.only_warns);
            let Some((Subject::Sender, name)) = table.filter(|(_, name)| seen.insert(*name)) else {
                continue;
            };
            if restriction.argument.is_some_and(|argument| argument.starts_with('{')) {
                refused.push(of_main_cf(setting, &format!("{} was not looked at", restriction.text())));
                continue;
            }
            let table: Table = installed.entries(setting, name);
            refused.extend(table.unread());
            all.extend(table.written);
            refused.extend(table.refused);
        }
    }
    let (drafts, not) = senders::inbound(&all, &access, mode, names);
    refused.extend(not);
    (drafts, refused)
}
