//! What is wanted of a validation.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::{Domain, Outbound};

/// A file that the command line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// As it was named.
    pub path: PathBuf,
    /// All that is in it.
    pub bytes: Vec<u8>,
}

/// What holds for every connector of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The trust anchors for connectors without a `ca_file`, PEM, instead of the system's.
    pub ca_file: Option<Named>,
    /// Revocation lists, PEM or DER, one a file.
    pub crls: Vec<Named>,
    /// The envelope sender of the test mail; empty for the null sender.
    pub sender: String,
    /// The name for EHLO; `None` for that of this machine.
    pub helo: Option<String>,
    /// Recipients are asked about, and no mail is sent.
    pub no_data: bool,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// A connector to be tested.
#[derive(Clone, Debug)]
pub struct Test<'c> {
    /// The connector, of any mode.
    pub connector: &'c Outbound,
    /// Who gets a test mail; nobody where it is empty.
    pub recipients: Vec<Recipient>,
}

/// Somebody who gets a test mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The whole address; it can stand in an SMTP command.
    pub address: String,
    /// Its domain, which is one of the connector's.
    pub domain: Domain,
}
