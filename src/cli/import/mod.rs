//! `connectord import`: connectors made of what there is, as a file to stdout.
//!
//! What was read and what came of it is told on stderr: every note of every connector, and what could not be imported, with
//! its place. It ends with 1 if something could not be imported; what could be is written all the same.

mod csv;
mod exchange;
mod input;
mod installed;
mod mode;
mod postfix;
mod summary;

use clap::Subcommand;

use super::{Exit, Failure, Output, Settings};

/// Where the connectors come from.
#[derive(Debug, Subcommand)]
pub(super) enum Source {
    /// Tables of Postfix: the policies of smtp_tls_policy_maps
    ///
    /// Of the Postfix of this host also the smart hosts of transport_maps that have a policy, and the senders of
    /// check_sender_access that must come over TLS (reject_plaintext_session).
    ///
    /// For domains the connectors answer what the table answers. What has no form in a connector stays in the table, and the
    /// connectors leave its domains out, so that Postfix finds it there: keep the table behind the daemon's in
    /// smtp_tls_policy_maps until nothing of it is left.
    ///
    /// Not so for next-hops such as [mail.contoso.com]:587 that have no line: Postfix asks a table for them as they are written,
    /// and for nothing wider, so that main.cf's level was theirs. The daemon answers by the connector for mail.contoso.com,
    /// or for what is around it, which may be weaker than main.cf.
    Postfix(postfix::Options),
    /// A list that is kept in a spreadsheet, saved as CSV
    ///
    /// The first row has the titles of the columns: `domain` and `level` have to be there, and `names` (of certificates,
    /// with spaces between them), `contact`, `name`, `comment`, `owner` and `agreement` may be. Rows that have everything
    /// but the domain in common are one connector.
    Csv(csv::Options),
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
        Source::Postfix(options) => postfix::run(options, out),
        Source::Csv(options) => csv::run(options, out),
        Source::Exchange(options) => exchange::run(options, out),
    }
}
