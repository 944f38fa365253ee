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
    /// The right names from a trusted authority, until yesterday.
    Expired,
    /// Names of somebody else, from a trusted authority.
    WrongName,
    /// Right, but for TLS 1.1, and no newer version.
    OldTls,
}

impl Server {
    /// Each of them; first the right one.
    pub const ALL: [Server; 10] = [
        Server::Right,
        Server::NoStarttls,
        Server::Stripped,
        Server::Refused,
        Server::Broken,
        Server::SelfSigned,
        Server::UnknownAuthority,
        Server::Expired,
        Server::WrongName,
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
            Server::Expired => "expired",
            Server::WrongName => "wrong-name",
            Server::OldTls => "old-tls",
        }
    }

    /// What it does, for whoever reads the report.
    pub fn about(self) -> &'static str {
        match self {
            Server::Right => {
                "does what was agreed: TLS, a certificate with the right name, from a trusted authority"
            }
            Server::NoStarttls => "does not offer STARTTLS",
            Server::Stripped => "does not offer STARTTLS, because somebody on the way overwrote the word",
            Server::Refused => "offers STARTTLS, and then refuses it (454)",
            Server::Broken => "offers STARTTLS, and then breaks the handshake off",
            Server::SelfSigned => "shows a self-signed certificate with the right name",
            Server::UnknownAuthority => {
                "shows a certificate with the right name from an authority that nobody trusts"
            }
            Server::Expired => "shows a certificate with the right name that has expired",
            Server::WrongName => "shows a valid certificate from a trusted authority for somebody else",
            Server::OldTls => "speaks TLS 1.1 and nothing newer",
        }
    }
}
