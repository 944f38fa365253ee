//! `connectord import`: connectors made of what there is, as a file to stdout.
//!
//! What was read and what came of it is told on stderr: every note of every connector, and what could not be imported, with
//! its place. It ends with 1 if there was anything of that kind; what could be imported is written all the same.

mod exchange;
mod summary;

use clap::Subcommand;

use super::{Exit, Failure, Output, Settings};

/// Where the connectors come from.
#[derive(Debug, Subcommand)]
pub(super) enum Source {
    /// Make connectors of those of Exchange, online or on premises
    ///
    /// In Exchange: `Get-OutboundConnector | ConvertTo-Json -Depth 4 | Out-File -Encoding utf8 outbound.json`, and the same
    /// of Get-InboundConnector; or with Export-Clixml. Get-OutboundConnector shows connectors for mail flow rules, and those
    /// in test mode, only with -IsTransportRuleScoped $true and -IncludeTestModeConnectors $true: export these too.
    ///
    /// What Exchange has disabled is in the mode `off`, and so is what it uses by something else than domains, such as mail
    /// flow rules. No TLS level is weaker than that of Exchange: CertificateValidation becomes `verify`, which also demands
    /// the name of the host. What there is no word for, such as the search for revoked certificates, or TLSA records and
    /// MTA-STS beside another level, stands in a comment. Of connectors for the same domain at most one is not off.
    Exchange(exchange::Options),
}

pub(super) fn run(source: &Source, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    if settings.json {
        return Err(Failure::Argument("what is imported is TOML; leave --json out".to_owned()));
    }
    match source {
        Source::Exchange(options) => exchange::run(options, out),
    }
}
