//! A connector that is about to be written.
//!
//! Its values are those of the keys of the configuration, as they are written there. Who makes a draft has read each of
//! them with the parser of the model, so that the file is accepted; the writer only sees to it that whatever is in a
//! text stays in that text.

use crate::model::{Level, Mode};

/// A table `[[outbound]]` or `[[inbound]]`, and what is to be said above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its name, by [`Unique`](super::Unique).
    pub name: String,
    /// Whether it takes part in answers.
    pub mode: Mode,
    /// What was decided, changed or left out when it was made: a comment each, and a line of the summary.
    pub notes: Vec<String>,
    /// What it is about and demands.
    pub terms: Terms,
    /// What is in it for people.
    pub people: People,
}

/// The terms of a direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// For mail to the partner.
    Outbound(OutboundTerms),
    /// For mail from there.
    Inbound(InboundTerms),
}

/// The names that a server's certificate may show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// None are written.
    #[default]
    Unsaid,
    /// The domain that is asked for, and what is below it.
    Domain,
    /// These patterns.
    Of(Vec<String>),
}

/// What `[[outbound]]` says; an empty list or text is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundTerms {
    /// Patterns of the partner's domains.
    pub domains: Vec<String>,
    /// Patterns of domains that it does not apply to.
    pub except: Vec<String>,
    /// Connectors that it may be weaker than, or `main.cf`.
    pub overrides: Vec<String>,
    /// The TLS level.
    pub tls: Level,
    /// `match`.
    pub names: Names,
    /// The path of a file with the only authorities.
    pub ca_file: Option<String>,
    /// Paths of certificates that the server may show.
    pub certificates: Vec<String>,
    /// Digests of them, or of their keys.
    pub fingerprints: Vec<String>,
    /// The oldest TLS version, `>=TLSv1.2`.
    pub protocols: Option<String>,
    /// The cipher grade.
    pub ciphers: Option<String>,
    /// The name that the server is asked for.
    pub servername: Option<String>,
    /// Smart hosts; with none of them the mail goes to the MX hosts.
    pub route: Vec<String>,
    /// The service of master.cf that takes it there.
    pub transport: Option<String>,
    /// Whom a test mail is sent to.
    pub test_recipients: Vec<String>,
}

impl OutboundTerms {
    /// Of these domains at this level, and nothing else.
    pub fn new(domains: Vec<String>, tls: Level) -> OutboundTerms {
        OutboundTerms {
            domains,
            tls,
            except: Vec::new(),
            overrides: Vec::new(),
            names: Names::Unsaid,
            ca_file: None,
            certificates: Vec::new(),
            fingerprints: Vec::new(),
            protocols: None,
            ciphers: None,
            servername: None,
            route: Vec::new(),
            transport: None,
            test_recipients: Vec::new(),
        }
    }
}

/// What `[[inbound]]` says; an empty list or text is not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboundTerms {
    /// Patterns of senders' domains that identify the partner.
    pub domains: Vec<String>,
    /// Addresses and ranges that do.
    pub addresses: Vec<String>,
    /// Addresses of those who pass on what others sent.
    pub except_addresses: Vec<String>,
    /// Patterns of the recipients' domains that it is limited to.
    pub recipients: Vec<String>,
    /// Connectors that it may be weaker than.
    pub overrides: Vec<String>,
    /// TLS is demanded: of any version, or of this one at least (`>=TLSv1.2`).
    pub tls: Option<Option<String>>,
    /// Names on the client's certificate.
    pub certificate_names: Vec<String>,
    /// Paths of registered certificates.
    pub certificate_files: Vec<String>,
    /// Who must have issued it.
    pub certificate_issuers: Vec<String>,
    /// Where the client must connect from.
    pub required_addresses: Vec<String>,
    /// What becomes of mail that does not comply: `reject`, `defer` or `hold`.
    pub on_violation: String,
}

/// What is for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// What it is.
    pub comment: Option<String>,
    /// Whom to ask at the partner.
    pub contact: Option<String>,
    /// Who answers for it here.
    pub owner: Option<String>,
    /// Where the agreement is.
    pub agreement: Option<String>,
}
