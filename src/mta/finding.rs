//! What is wrong with the settings of an MTA, in words for its administrator.

/// How bad a finding is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Mail can go, or come, weaker than a connector demands.
    Bypass,
    /// Mail of a connector waits though its partner does what was agreed.
    Outage,
    /// What is enforced cannot be proved afterwards, or not for as long as somebody thinks.
    Evidence,
    /// It could be better.
    Advice,
}

impl Severity {
    /// The word in the output and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Bypass => "bypass",
            Severity::Outage => "outage",
            Severity::Evidence => "evidence",
            Severity::Advice => "advice",
        }
    }
}

/// A kind of finding. Its name stays, for scripts and for the manual.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it means and why it matters: a paragraph of the manual.
    pub about: &'static str,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: &'static Kind,
    /// What is so, here.
    pub message: String,
    /// The connectors that it is about, in the order written; never empty.
    pub connectors: Vec<String>,
    /// Where it is set: `main.cf: NAME = VALUE`, `master.cf: NAME/TYPE: NAME = VALUE`, `master.cf: NAME/TYPE` of a
    /// service that is not there; `OPTION = VALUE`,
    /// `router NAME: OPTION = VALUE`, `transport NAME: OPTION = VALUE`, `ACL NAME: STATEMENT`.
    pub place: String,
    /// Commands for a shell that mend it, to be run in this order by root: they change settings of the MTA, files of the
    /// daemon, and who may use its sockets.
    pub mend: Vec<String>,
}
