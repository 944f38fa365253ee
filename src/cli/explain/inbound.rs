//! `connectord explain inbound`: what is answered about a mail.
//!
//! The options stand for the attributes of one request. A certificate is shown as the MTA shows
//! it: Postfix by its digests, and by common name and issuer only when a trusted authority vouches
//! for it (smtpd_check.c:check_policy_service); Exim as a whole.

use std::fmt;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;
use serde::Serialize;

use super::{Mta, SCHEMA};
use crate::answer::inbound::{Because, Judged, Verdict};
use crate::answer::{self, Leaf, Mail, exim};
use crate::cli::{Exit, Failure, Output};
use crate::model::Place;
use crate::model::certificate::pem;
use crate::model::requirement::TlsVersion;
use crate::snapshot::Snapshot;

/// The states of a session that Postfix asks in (SMTPD_POLICY_README, `protocol_state`).
const STATES: [&str; 9] =
    ["CONNECT", "EHLO", "HELO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "VRFY", "ETRN"];

/// Who issued a certificate of which only the common name is given.
const UNNAMED_ISSUER: &str = "an issuer that was not given";

/// The options of `explain inbound`.
#[derive(Debug, Args)]
pub struct Options {
    /// The sender's address in MAIL FROM, without angle brackets; '' is the null sender of a bounce
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    sender: String,
    /// The address of the client, IPv4 or IPv6
    #[arg(long, value_name = "ADDRESS")]
    client_address: IpAddr,
    /// The name that the client gave in EHLO or HELO: it identifies the partner for the null sender
    /// [default: empty]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    helo: String,
    /// The TLS version of the session [default: none, plaintext]
    #[arg(long, value_name = "VERSION", value_parser = versions())]
    tls: Option<TlsVersion>,
    /// The client's certificate, the first one in this PEM file [default: none]
    #[arg(long, value_name = "FILE", requires = "tls")]
    cert: Option<PathBuf>,
    /// The certificate of --cert has a chain that the MTA trusts: its names and issuer count, not only
    /// its digests
    #[arg(long, requires = "cert")]
    trusted: bool,
    /// The client shows a trusted certificate with this common name, of which nothing else is known
    #[arg(long, value_name = "NAME", requires = "tls", conflicts_with = "cert")]
    cert_cn: Option<String>,
    /// Common name or organisation of the issuer of the certificate of --cert-cn [default: one that
    /// no connector names]
    #[arg(long, value_name = "NAME", requires = "cert_cn")]
    cert_issuer: Option<String>,
    /// The recipient's address in RCPT TO, without angle brackets [default: none; in scope of every
    /// connector at RCPT]
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    recipient: String,
    /// The state of the session in which it is asked
    #[arg(long, value_name = "STATE", default_value = "RCPT", value_parser = STATES)]
    state: String,
    /// The MTA that asks
    #[arg(long, value_enum, default_value_t)]
    mta: Mta,
}

fn versions() -> impl TypedValueParser<Value = TlsVersion> {
    let words = PossibleValuesParser::new(TlsVersion::ALL.map(TlsVersion::word));
    words.try_map(|word| TlsVersion::from_word(&word).ok_or("no TLS version"))
}

impl Options {
    /// Reads the certificate.
    ///
    /// # Errors
    /// When the file cannot be read, or its first certificate not be understood.
    pub fn certificate(&self) -> Result<Leaf, Failure> {
        if let Some(name) = &self.cert_cn {
            return Ok(Leaf::named(name, self.cert_issuer.as_deref().unwrap_or(UNNAMED_ISSUER)));
        }
        let Some(path) = &self.cert else {
            return Ok(Leaf::default());
        };
        let text = std::fs::read(path).map_err(|error| Failure::File { path: path.clone(), error })?;
        let certificates = pem::certificates(&text)
            .map_err(|error| Failure::Argument(format!("--cert {}: {error}", path.display())))?;
        Ok(certificates.first().map(|leaf| Leaf::of(leaf, self.trusted)).unwrap_or_default())
    }
}

/// A decision and what it was made from.
#[derive(Debug, Serialize)]
pub struct Explanation<'s> {
    schema: u8,
    /// The generation of the snapshot.
    pub generation: u64,
    /// The state of the session.
    pub state: &'s str,
    /// The verdict.
    pub verdict: &'static str,
    /// What follows `action=`; of an answer to Exim, all of it.
    pub action: String,
    /// What the verdict rests on: `connectors`, or why none was looked at.
    pub because: &'static str,
    /// The enforcing connectors that the mail is about.
    pub applies: Vec<Connector<'s>>,
    /// The reporting ones.
    pub report: Vec<Connector<'s>>,
    #[serde(skip)]
    meaning: String,
    #[serde(skip)]
    mta: Mta,
}

/// A connector that the mail is about.
#[derive(Debug, Serialize)]
pub struct Connector<'s> {
    /// Its name.
    pub connector: &'s str,
    /// The pattern or the range that the mail was identified by.
    pub identified_by: String,
    /// What the mail does not show.
    pub violations: Vec<Unmet>,
    /// What this connector alone would answer.
    pub would_reply: String,
    /// Where it is written.
    pub file: &'s str,
    /// The line of its table.
    pub line: usize,
}

/// A requirement that is not met.
#[derive(Debug, Serialize)]
pub struct Unmet {
    /// `tls`, `certificate` or `addresses`.
    pub requirement: &'static str,
    /// What it demands.
    pub expected: String,
    /// What was shown.
    pub presented: String,
}

/// Decides about the mail. `now` is what the dates of registered certificates are judged by.
pub fn explanation<'s>(
    snapshot: &'s Snapshot,
    mail: &Mail<'s>,
    state: &'s str,
    mta: Mta,
    now: Timestamp,
) -> Explanation<'s> {
    let decision = answer::inbound(snapshot, mail, || now);
    let action = match mta {
        Mta::Postfix => decision.action().to_owned(),
        Mta::Exim => exim::action(&decision),
    };
    Explanation {
        schema: SCHEMA,
        generation: snapshot.generation(),
        state,
        verdict: decision.verdict.word(),
        action,
        because: decision.because.word(),
        applies: decision.applies.iter().map(|judged| Connector::of(judged, mail)).collect(),
        report: decision.report.iter().map(|judged| Connector::of(judged, mail)).collect(),
        meaning: meaning(mta, decision.verdict, decision.because, decision.applies.is_empty()),
        mta,
    }
}

impl<'s> Connector<'s> {
    fn of(judged: &Judged<'s>, mail: &Mail<'_>) -> Self {
        let Place { file, line } = &judged.connector.place;
        let violations = judged.violations.iter().map(|violation| Unmet {
            requirement: violation.part().word(),
            expected: violation.expected(&judged.connector.require),
            presented: violation.presented(mail).into_owned(),
        });
        Connector {
            connector: judged.connector.name.as_str(),
            identified_by: judged.identified_by.to_string(),
            violations: violations.collect(),
            would_reply: judged.action().into_owned(),
            file,
            line: *line,
        }
    }
}

fn meaning(mta: Mta, verdict: Verdict, because: Because, none: bool) -> String {
    let mta_name = mta.name();
    match (verdict, because) {
        (Verdict::Reject, _) => format!("{mta_name} refuses the mail; the partner's server tells its sender"),
        (Verdict::Defer, Because::Sender | Because::Client | Because::UnknownState) => {
            format!("what a connector depends on cannot be read, so {mta_name} refuses the mail for now")
        }
        (Verdict::Hold, _) if mta == Mta::Exim => {
            "Exim cannot hold the mail and refuses it for now; the partner's server tries again".to_owned()
        }
        (Verdict::Defer, _) => {
            format!("{mta_name} refuses the mail for now; the partner's server tries again")
        }
        (Verdict::Hold, _) => format!("{mta_name} takes the mail and puts it on hold"),
        (Verdict::Pass, Because::Authenticated) => {
            "the client has logged in: no connector is about it".to_owned()
        }
        (Verdict::Pass, Because::Exempt) => {
            "the client is exempt by [inbound_exempt]: nothing is asked of it".to_owned()
        }
        (Verdict::Pass, Because::State) => format!("nothing is decided in this state; {mta_name} goes on"),
        (Verdict::Pass, _) if none => {
            format!("no enforcing connector is about this mail: {mta_name} goes on with its own checks")
        }
        (Verdict::Pass, _) => format!("nothing to object: {mta_name} goes on with its own checks"),
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (asked, prefix) = match self.mta {
            Mta::Postfix => ("policy delegation", "action="),
            Mta::Exim => ("question `in`", ""),
        };
        writeln!(f, "{asked}, state {}", self.state)?;
        writeln!(f, "  reply      {prefix}{}", self.action)?;
        writeln!(f, "  verdict    {}", self.verdict)?;
        writeln!(f, "  meaning    {}", self.meaning)?;
        for connector in &self.applies {
            connector.write(f, "connector", false)?;
        }
        for connector in &self.report {
            connector.write(f, "report   ", true)?;
        }
        Ok(())
    }
}

impl Connector<'_> {
    fn write(&self, f: &mut fmt::Formatter<'_>, label: &str, reply: bool) -> fmt::Result {
        let met = if self.violations.is_empty() { "satisfied" } else { "not satisfied" };
        let Connector { connector, identified_by, file, line, .. } = self;
        writeln!(f, "  {label}  {connector}, by {identified_by}, {met}, {file}:{line}")?;
        for Unmet { requirement, expected, presented } in &self.violations {
            writeln!(f, "             {requirement}: expected {expected}, presented {presented}")?;
        }
        if reply {
            writeln!(f, "             would reply action={}", self.would_reply)?;
        }
        Ok(())
    }
}

pub(super) fn run(
    options: &Options,
    certificate: &Leaf,
    snapshot: &Snapshot,
    json: bool,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let client = options.client_address.to_string();
    let mail = Mail {
        state: options.state.as_bytes(),
        client_address: client.as_bytes(),
        helo: options.helo.as_bytes(),
        sender: options.sender.as_bytes(),
        recipient: options.recipient.as_bytes(),
        sasl_username: b"",
        tls_version: options.tls.map_or("", TlsVersion::word).as_bytes(),
        certificate: match options.mta {
            Mta::Postfix => certificate.as_postfix_shows_it(),
            Mta::Exim => certificate.whole(),
        },
    };
    let explanation = explanation(snapshot, &mail, &options.state, options.mta, Timestamp::now());
    if json {
        out.json(&explanation)?
    } else {
        write!(out, "{explanation}")?
    }
    Ok(Exit::Good)
}
