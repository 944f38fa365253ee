//! The command line: one file per subcommand, and the only layer that prints.
//!
//! Results go to stdout and talk goes to stderr, so that a script reads one and a person both.
//! Every way to end has its number in [`Exit`]. Whoever reads our output may stop reading; output
//! that cannot be written for another reason is an error of its own.
//!
//! The doc comments on the options are the help texts and the manual page: each says what the
//! option does, its default and its unit.

mod certs;
mod check;
mod control;
mod doctor;
mod doctor_metrics;
mod exit;
pub mod explain;
mod export;
mod hand_over;
mod import;
mod list;
mod moment;
mod new;
mod output;
mod partner_kit;
mod prove;
mod reload;
mod results;
mod serve;
mod settings;
mod status;
mod validate;
mod validated;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

pub use exit::{Exit, Failure};
pub use hand_over::{Perform, Task, hand_over, perform};
pub use output::Output;
pub use settings::Settings;

use output::talk;

/// TLS connectors for Postfix and Exim: mail to and from a partner travels over TLS as agreed, or
/// not at all.
///
/// A connector is a named agreement with a partner, written in connectord.toml. The daemon answers
/// the MTA for it on every delivery; the other commands check, explain and export the same answers.
#[derive(Debug, Parser)]
#[command(name = "connectord", version, max_term_width = 100, after_long_help = exit::table())]
pub struct CommandLine {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon that answers the MTA
    ///
    /// It stays in the foreground and logs to stderr. SIGHUP loads the configuration anew; a
    /// configuration with problems keeps the one that is served. SIGTERM and SIGINT stop it: requests
    /// in flight have 5 seconds to end.
    Serve,
    /// Check the configuration and everything that it includes
    ///
    /// Every problem of every file is shown on stderr with its place and what to do, warnings after
    /// them. Warnings alone are good.
    Check,
    /// Say what the daemon answers, and why
    #[command(subcommand)]
    Explain(explain::Direction),
    /// List the connectors: name, direction, mode, whether they are validated, domains, TLS and route
    ///
    /// VALIDATED is the day of the last test that passed with the settings as they are now, and the
    /// days until the first of the certificates seen then expires. A result counts for 30 days.
    List,
    /// Ask the running daemon how it is
    ///
    /// What it has decided is counted by question: where no connector has an answer, Postfix asks for the parent domains
    /// as well. For monitoring there are --json and --prometheus; connectord-monitoring(7).
    Status(status::Options),
    /// Let the running daemon load its configuration anew, and wait for what comes of it
    Reload(reload::Options),
    /// Test a partner: say what would happen to its mail, and why
    ///
    /// Every host and every address that mail of an outbound connector could go to is connected to as
    /// Postfix would, and what is seen is judged at the connector's level. The certificate files of
    /// inbound connectors are judged too. The result is kept under the state directory. Without
    /// --recipient and --test-mail no mail is sent. It ends with 0 when mail would be delivered,
    /// warnings or not, and with 1 when not.
    ///
    /// Below a connector's hosts stand: the TLSA records and the MTA-STS policy that the partner has published, whether
    /// somebody has revoked its certificates, whom the run trusted, and the `strictest` that could be agreed, which is
    /// what every address would pass today.
    Validate(Box<validate::Options>),
    /// List every certificate that is known: in files, and seen from partners
    ///
    /// For each its subject, names, issuer, serial number, the SHA-256 of certificate and key, its
    /// end, and the connectors that it is known from. What partners showed comes from the last run of
    /// `validate`.
    Certs(certs::Options),
    /// Find what goes round the connectors in the settings of an MTA
    #[command(subcommand)]
    Doctor(doctor::Mta),
    /// Show by experiment that connectors fail closed
    ///
    /// A copy of this machine's Postfix or Exim, with its settings, and a daemon of the configuration as it is in the files,
    /// send mail of each outbound connector to mail servers that do everything wrong: no STARTTLS, a wrong certificate, an
    /// old TLS version. Nothing may arrive weaker than the connector demands, also with the header `TLS-Required: no`, and
    /// also while the daemon is stopped; and what is right must arrive. It ends with 0 when all of that is so, and with 1
    /// otherwise.
    ///
    /// It takes root and ip(8), and half a minute for ten connectors; with Exim, which is a process for each mail, a minute.
    /// All of it is in namespaces of its own: the MTA that runs, its queue, its log and the network are not touched, and
    /// nothing of the file system can be written there. Of Exim's configuration nothing is changed: what it gives to programs
    /// of this machine, mail to our own domains say, it gives to them there too, where they find no daemon and no network.
    ///
    /// What a connector holds for was tried with the first three of its domains, or those of --domain. Not seen is what only
    /// the MTA that runs has, such as open connections and TLS sessions that are resumed; messages to several domains at
    /// once; what milters and content filters do, which the copy has not, or does not reach; with Exim, routers that know a
    /// client that submits from a program of this machine; whether the resolver validates, which DANE needs; demands on
    /// ciphers and on the name that is sent (SNI); and inbound connectors. Tables that are asked for over the network or at a
    /// socket are not found, and mail that needs them waits: the connector is not shown to hold then.
    Prove(prove::Options),
    /// Write the answers as static tables of an MTA
    #[command(subcommand)]
    Export(export::Mta),
    /// Make connectors of what there is: Exchange's connectors, Postfix's tables, a list
    ///
    /// What comes of it is a file for connectors.d, to stdout; nothing is installed. Unless --mode says otherwise each
    /// connector is in the mode `report`, which changes nothing, or `off` where it was off. What was changed or left out
    /// stands in a comment above the connector, and on stderr, and what could not be imported is told with its place and the
    /// reason.
    #[command(subcommand)]
    Import(import::Source),
    /// Make a connector by question and answer
    ///
    /// It asks for what a connector says, and writes it as a file of its own into the directory that the configuration
    /// includes; an option answers for a script. Before that the whole configuration is checked as it would be with it, and
    /// what would change is shown. A configuration with problems, an answer that is missing, or Ctrl-C leaves everything as it was.
    /// Then it offers `validate` and `reload`.
    New(Box<new::Options>),
    /// Say what a partner has to configure to match a connector
    ///
    /// The mirror of an outbound connector is the side of theirs that receives, that of an inbound one the side that
    /// sends. What a partner is told of us is in [organisation]; what is not there is a placeholder in a comment, and told on
    /// stderr, and the command ends with 1. Read the kit before you send it.
    PartnerKit(partner_kit::Options),
}

impl Command {
    fn run(&self, settings: &Settings, out: &mut Output, perform: Perform) -> Result<Exit, Failure> {
        match self {
            Command::Serve => serve::run(settings),
            Command::Check => check::run(settings, out),
            Command::Explain(direction) => explain::run(direction, settings, out),
            Command::List => list::run(settings, out),
            Command::Status(options) => status::run(options, settings, out),
            Command::Reload(options) => reload::run(options, settings, out),
            Command::Validate(options) => perform(Task::Validate(options), settings, out),
            Command::Certs(options) => certs::run(options, settings, out),
            Command::Doctor(mta) => doctor::run(mta, settings, out),
            Command::Prove(options) => perform(Task::Prove(options), settings, out),
            Command::Export(mta) => export::run(mta, settings, out),
            Command::Import(source) => import::run(source, settings, out),
            Command::New(options) => new::run(options, settings, out),
            Command::PartnerKit(options) => partner_kit::run(options, settings, out),
        }
    }
}

/// Runs what [`hand_over`] has handed over, and says how it ended.
pub fn run_handed_over() -> ExitCode {
    match hand_over::handed_over() {
        Ok(()) => run(perform),
        Err(failure) => {
            talk(format_args!("{failure}"));
            failure.exit().into()
        }
    }
}

/// Runs the command that the process was started with, and says how it ended.
pub fn run(perform: Perform) -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return unparsed(&error).into(),
    };
    let mut out = Output::stdout();
    let result = line.command.run(&line.settings, &mut out, perform);
    let result = result.and_then(|exit| out.finish().map(|()| exit).map_err(Failure::from));
    let exit = result.unwrap_or_else(|failure| {
        if !failure.is_told() {
            talk(format_args!("{failure}"));
        }
        failure.exit()
    });
    exit.into()
}

/// `--help` and `--version` are results; everything else is a usage error, for which clap's own
/// number would be 2.
fn unparsed(error: &clap::Error) -> Exit {
    let wanted = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    match error.print() {
        Err(failure) if wanted && failure.kind() != std::io::ErrorKind::BrokenPipe => {
            talk(format_args!("{}", Failure::from(failure)));
            Exit::Internal
        }
        _ if wanted => Exit::Good,
        _ => Exit::Usage,
    }
}
