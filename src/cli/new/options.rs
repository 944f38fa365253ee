//! The answers that scripts give: an option for each question.

use clap::{ArgAction, Args};

/// The options of `new`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// Which way the mail goes: `outbound` to the partner, `inbound` from there
    #[arg(long, value_name = "DIRECTION")]
    pub direction: Option<String>,
    /// The partner's domains, with commas between them: `*.contoso.com` is contoso.com and every name below it
    #[arg(long, value_name = "LIST")]
    pub domains: Option<String>,
    /// The name of the connector
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What it is for, for people
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// Whom to ask at the partner
    #[arg(long, value_name = "TEXT")]
    pub contact: Option<String>,
    /// Outbound: `mx`, or smart hosts with commas between them, such as `[mail.contoso.com]:587`; without brackets it is
    /// the MX hosts of that name
    #[arg(long, value_name = "ROUTE")]
    pub route: Option<String>,
    /// Outbound: the TLS level: `secure`, `verify`, `encrypt`, `dane-only`, `dane` or `may`
    #[arg(long, value_name = "LEVEL")]
    pub tls: Option<String>,
    /// Outbound, with `secure` and `verify`: the names that the server's certificate may show, with commas between them, or
    /// `domain`
    #[arg(long = "match", value_name = "LIST")]
    pub names: Option<String>,
    /// Inbound: addresses and ranges of clients that are the partner's whatever the sender, with commas between them
    #[arg(long, value_name = "LIST")]
    pub addresses: Option<String>,
    /// Inbound: `yes` for TLS of any version, `1.2` or `>=TLSv1.2` for this one at least, or `none`
    #[arg(long, value_name = "VERSION")]
    pub require_tls: Option<String>,
    /// Inbound: the names that a client certificate must show, with commas between them
    #[arg(long, value_name = "LIST")]
    pub certificate_names: Option<String>,
    /// Inbound: addresses and ranges that the mail must come from, with commas between them
    #[arg(long, value_name = "LIST")]
    pub require_addresses: Option<String>,
    /// Inbound: what becomes of mail that does not comply: `reject`, `defer` or `hold`
    #[arg(long, value_name = "ACTION")]
    pub on_violation: Option<String>,
    /// `report` decides and logs, and changes nothing; `enforce`; `off`
    #[arg(long, value_name = "MODE")]
    pub mode: Option<String>,
    /// Ask nothing: what no option says has its default, and the file is written. Neither `validate` nor `reload` is run,
    /// but by the two options below
    #[arg(long, action = ArgAction::SetTrue)]
    pub yes: bool,
    /// Run `validate` for it when it is written [default: ask]
    #[arg(long, action = ArgAction::SetTrue)]
    pub validate: bool,
    /// Run `reload` when it is written, unless `--validate` finds something that is not good [default: ask]
    #[arg(long, action = ArgAction::SetTrue)]
    pub reload: bool,
}

impl Options {
    /// The options that answer a question and were given.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("--direction", &self.direction),
            ("--domains", &self.domains),
            ("--name", &self.name),
            ("--comment", &self.comment),
            ("--contact", &self.contact),
            ("--route", &self.route),
            ("--tls", &self.tls),
            ("--match", &self.names),
            ("--addresses", &self.addresses),
            ("--require-tls", &self.require_tls),
            ("--certificate-names", &self.certificate_names),
            ("--require-addresses", &self.require_addresses),
            ("--on-violation", &self.on_violation),
            ("--mode", &self.mode),
        ];
        all.into_iter().filter(|(_, value)| value.is_some()).map(|(option, _)| option)
    }
}
