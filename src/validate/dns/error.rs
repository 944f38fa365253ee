//! Why a question to the DNS has no answer, in the kinds that make a difference to mail.

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Error {
    /// The name does not exist.
    #[error("NXDOMAIN: the name does not exist")]
    NoSuchName,
    /// The name exists and has no such record.
    #[error("no such record")]
    NoData,
    /// More aliases after one another than Postfix follows.
    #[error("too many CNAME records after one another, or a loop of them")]
    Loop,
    /// What is asked for, or an alias on the way, is no host name.
    #[error("a name that is no valid host name")]
    Name,
    /// The resolver could not find out, or found the signatures wrong.
    #[error("SERVFAIL: the name servers do not answer properly, or DNSSEC validation fails")]
    ServerFailure,
    /// The resolver does not want to answer, or not such a question: the code of its reply.
    #[error("the resolver refuses, with code {0}")]
    Refused(u16),
    /// No reply in time.
    #[error("no answer in time")]
    Timeout,
    /// The resolver cannot be reached, or what it says is no DNS.
    #[error("the resolver cannot be reached, or its answer cannot be read")]
    Resolver,
}

impl Error {
    /// Whether the resolver has told that there is nothing: what Postfix calls `DNS_NOTFOUND`, and
    /// what lets it go on from the MX to the address records (smtp_addr.c:smtp_domain_addr).
    pub fn is_absence(self) -> bool {
        matches!(self, Error::NoSuchName | Error::NoData | Error::Loop)
    }

    /// Whether trying again may help, so that Postfix keeps the mail (dns_lookup.c:dns_query).
    pub fn is_temporary(self) -> bool {
        matches!(self, Error::ServerFailure | Error::Refused(_) | Error::Timeout | Error::Resolver)
    }
}
