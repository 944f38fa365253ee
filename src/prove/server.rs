//! The partner's mail servers that a probe is sent to: one that is right, and those that are not.

/// How all mail servers behave while one round of probes is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Server {
    /// As agreed.
    Right,
    /// EHLO offers no STARTTLS.
    NoStarttls,
    /// Somebody on the way has overwritten the word STARTTLS.
    Stripped,
    /// STARTTLS is offered, and refused with 454.
    Refused,
    /// STARTTLS is offered and begun, and no handshake comes.
    Broken,
    /// The right names, and nobody vouches for them.
    SelfSigned,
    /// The right names, from an authority that nobody trusts.
    UnknownAuthority,
    /// The right names, from an authority of the system.
    SystemAuthority,
    /// The right names from a trusted authority, until yesterday.
    Expired,
    /// Names of somebody else, from a trusted authority.
    WrongName,
    /// The names of the domain and of its host, from a trusted authority.
    OwnName,
    /// MX records that lead to a host of somebody else, which shows its own name.
    Misled,
    /// Right, and no TLSA records.
    NoTlsa,
    /// Right, but for TLS 1.2, and no newer version.
    Tls12,
    /// Right, but for TLS 1.1, and no newer version.
    OldTls,
}

impl Server {
    /// Each of them; first the right one.
    pub const ALL: [Server; 15] = [
        Server::Right,
        Server::NoStarttls,
        Server::Stripped,
        Server::Refused,
        Server::Broken,
        Server::SelfSigned,
        Server::UnknownAuthority,
        Server::SystemAuthority,
        Server::Expired,
        Server::WrongName,
        Server::OwnName,
        Server::Misled,
        Server::NoTlsa,
        Server::Tls12,
        Server::OldTls,
    ];

    /// Its name, for scripts and reports.
    pub fn id(self) -> &'static str {
        match self {
            Server::Right => "right",
            Server::NoStarttls => "no-starttls",
            Server::Stripped => "stripped",
            Server::Refused => "refused",
            Server::Broken => "broken",
            Server::SelfSigned => "self-signed",
            Server::UnknownAuthority => "unknown-authority",
            Server::SystemAuthority => "system-authority",
            Server::Expired => "expired",
            Server::WrongName => "wrong-name",
            Server::OwnName => "own-name",
            Server::Misled => "misled",
            Server::NoTlsa => "no-tlsa",
            Server::Tls12 => "tls-1.2",
            Server::OldTls => "old-tls",
        }
    }

    /// What it does, for whoever reads the report.
    pub fn about(self) -> &'static str {
        match self {
            Server::Right => {
                "does what was agreed: TLS, and a certificate with an agreed name, from a trusted authority"
            }
            Server::NoStarttls => "does not offer STARTTLS",
            Server::Stripped => "does not offer STARTTLS, because somebody on the way overwrote the word",
            Server::Refused => "offers STARTTLS, and then refuses it (454)",
            Server::Broken => {
                "offers STARTTLS, and then breaks the handshake off; where an MTA may go on in plaintext, Exim does so at once, and \
                 Postfix minutes later, which is not awaited"
            }
            Server::SelfSigned => "shows a self-signed certificate with an agreed name",
            Server::UnknownAuthority => {
                "shows a certificate with an agreed name from an authority that nobody trusts"
            }
            Server::SystemAuthority => {
                "shows a certificate with an agreed name from an authority of the system: wrong where the connector names its own"
            }
            Server::Expired => "shows a certificate with an agreed name that has expired",
            Server::WrongName => "shows a valid certificate from a trusted authority for somebody else",
            Server::OwnName => {
                "shows a valid certificate for the domain and the host: wrong where other names were agreed"
            }
            Server::Misled => {
                "is somebody else's, with a valid certificate for its own name; forged MX records lead there"
            }
            Server::NoTlsa => "does what was agreed, and has no TLSA records",
            Server::Tls12 => "does what was agreed, and speaks TLS 1.2 and nothing newer",
            Server::OldTls => "does what was agreed, and speaks TLS 1.1 and nothing newer",
        }
    }

    /// Whether there is TLS at all.
    pub fn speaks_tls(self) -> bool {
        !matches!(self, Server::NoStarttls | Server::Stripped | Server::Refused | Server::Broken)
    }
}
