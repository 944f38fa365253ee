//! The TLS handshake as Postfix's smtp(8) makes it, and what it showed.
//!
//! Everything is as in tls_client.c: security level 0, and 1 at the levels that judge the peer
//! (so TLS 1.0 and 1.1 are spoken up to `encrypt`, whatever openssl.cnf says, and not above it);
//! `>=TLSv1` unless the connector has a minimum; the cipher lists of Postfix 3.10, which exclude a
//! little more than those of 3.7; no SNI unless one is given. The peer is not verified during the
//! handshake (`SSL_VERIFY_NONE`), so a chain that nobody trusts is seen whole; [`super::trust`]
//! judges it afterwards. Beyond Postfix, a stapled OCSP response is asked for.
//!
//! OpenSSL itself refuses a chain of more than 100 kB (`SSL_MAX_CERT_LIST_DEFAULT`), for Postfix
//! as for us; [`MAX_CHAIN`] is far above what fits into that. Whoever calls sets the deadline.

use std::pin::Pin;
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{
    Error, ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslRef, SslVerifyMode,
    SslVersion, StatusType,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_openssl::SslStream;

use super::observation::{TlsSession, Trouble};
use super::smtp::of_io;
use crate::model::requirement::{CipherGrade, ServerName, TlsVersion};
use crate::model::{Level, Requirement};

/// Certificates of a presented chain; with more the session counts as broken.
pub const MAX_CHAIN: usize = 512;

/// Bytes of a stapled OCSP response that are kept; a larger one is passed over.
const MAX_STAPLED: usize = 64 * 1024;

/// mail_params.h: `DEF_TLS_MEDIUM_CLIST` and `DEF_TLS_HIGH_CLIST` of Postfix 3.10.
const MEDIUM: &str =
    "aNULL:-aNULL:HIGH:MEDIUM:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:@STRENGTH";
const HIGH: &str = "aNULL:-aNULL:HIGH:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:@STRENGTH";

/// What decides how the handshake is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The TLS level.
    pub level: Level,
    /// The minimum version, where the connector has one.
    pub min_version: Option<TlsVersion>,
    /// The cipher grade, where the connector has one.
    pub ciphers: Option<CipherGrade>,
    /// The name to send, an A-label.
    pub servername: Option<String>,
}

impl Settings {
    /// What the requirement of a connector comes to at a host, for mail to a domain. `tlsa`: the
    /// host has TLSA records that DNSSEC authenticates; without them `dane` is `may`
    /// (smtp_tls_policy.c:dane_init).
    pub fn of(requirement: &Requirement, tlsa: bool, host: &str, domain: &str) -> Settings {
        let demanded = requirement.level();
        let level = if demanded == Level::Dane && !tlsa { Level::May } else { demanded };
        // tls_client.c:tls_auth_enable; at the DANE levels it is the TLSA base domain.
        let servername = match (level, requirement.servername()) {
            (Level::Dane | Level::DaneOnly, _) | (_, Some(ServerName::HostName)) => Some(host.to_owned()),
            (_, Some(ServerName::NextHop)) => Some(domain.to_owned()),
            (_, Some(ServerName::Name(name))) => Some(name.to_string()),
            (_, None) => None,
        };
        Settings { level, min_version: requirement.min_version(), ciphers: requirement.ciphers(), servername }
    }

    /// The same as at `encrypt` with Postfix's defaults: to see what a peer has to offer with whom
    /// the handshake failed.
    #[must_use]
    pub fn laxest(&self) -> Settings {
        Settings { level: Level::Encrypt, min_version: None, ciphers: None, ..self.clone() }
    }

    /// OpenSSL's security level, as tls_client.c:tls_client_start sets it.
    pub fn security_level(&self) -> u32 {
        if judges_peer(self.level) { 1 } else { 0 }
    }

    fn cipher_list(&self) -> String {
        let list = match self.ciphers.unwrap_or(CipherGrade::Medium) {
            CipherGrade::Medium => MEDIUM,
            CipherGrade::High => HIGH,
        };
        // smtp_tls_policy.c:set_cipher_grade
        let exclude = match self.level {
            Level::May => "",
            Level::Encrypt => ":!eNULL",
            Level::Verify | Level::Secure | Level::Fingerprint | Level::Dane | Level::DaneOnly => ":!aNULL",
        };
        format!("{list}{exclude}")
    }

    fn context(&self) -> Result<SslContext, ErrorStack> {
        let mut context = SslContextBuilder::new(SslMethod::tls_client())?;
        context.set_security_level(self.security_level());
        let minimum = match self.min_version.unwrap_or(TlsVersion::Tls10) {
            TlsVersion::Tls10 => SslVersion::TLS1,
            TlsVersion::Tls11 => SslVersion::TLS1_1,
            TlsVersion::Tls12 => SslVersion::TLS1_2,
            TlsVersion::Tls13 => SslVersion::TLS1_3,
        };
        context.set_min_proto_version(Some(minimum))?;
        context.set_max_proto_version(None)?;
        // In this order: the list must not bring a security level of its own.
        context.set_cipher_list(&self.cipher_list())?;
        context.set_options(
            SslOptions::ALL
                | SslOptions::SINGLE_ECDH_USE
                | SslOptions::SINGLE_DH_USE
                | SslOptions::NO_RENEGOTIATION
                | SslOptions::IGNORE_UNEXPECTED_EOF,
        );
        context.set_verify(SslVerifyMode::NONE);
        Ok(context.build())
    }

    fn session(&self) -> Result<Ssl, ErrorStack> {
        let context = self.context()?;
        let mut session = Ssl::new(&context)?;
        session.set_status_type(StatusType::OCSP)?;
        if let Some(name) = &self.servername {
            session.set_hostname(name)?;
        }
        Ok(session)
    }
}

/// tls.h: `TLS_MUST_MATCH`. Where the TLSA records are unusable, `dane` is `encrypt` and its
/// handshake laxer than this; that is on the safe side.
pub fn judges_peer(level: Level) -> bool {
    !matches!(level, Level::May | Level::Encrypt)
}

/// Makes the handshake over a stream on which the peer has agreed to STARTTLS.
///
/// # Errors
/// [`Trouble`] with OpenSSL's reason.
pub async fn shake<S>(stream: S, settings: &Settings) -> Result<(SslStream<S>, TlsSession), Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let session = settings.session().map_err(|error| Trouble::Tls(reasons(&error)))?;
    let mut stream = SslStream::new(session, stream).map_err(|error| Trouble::Tls(reasons(&error)))?;
    let start = Instant::now();
    Pin::new(&mut stream).connect().await.map_err(|error| of_ssl(&error))?;
    let seen = seen(stream.ssl(), start.elapsed())?;
    Ok((stream, seen))
}

fn seen(session: &SslRef, took: Duration) -> Result<TlsSession, Trouble> {
    let mut chain = Vec::new();
    for certificate in session.peer_cert_chain().into_iter().flatten() {
        if chain.len() == MAX_CHAIN {
            return Err(Trouble::Tls(format!("a chain of more than {MAX_CHAIN} certificates")));
        }
        chain.push(certificate.to_der().map_err(|error| Trouble::Tls(reasons(&error)))?);
    }
    Ok(TlsSession {
        version: session.version_str().to_owned(),
        cipher: session.current_cipher().map(|cipher| cipher.name().to_owned()).unwrap_or_default(),
        took,
        chain,
        stapled: session.ocsp_status().filter(|response| response.len() <= MAX_STAPLED).map(<[u8]>::to_vec),
    })
}

fn of_ssl(error: &Error) -> Trouble {
    if let Some(error) = error.io_error() {
        return of_io(error);
    }
    match error.ssl_error() {
        Some(stack) if !stack.errors().is_empty() => Trouble::Tls(reasons(stack)),
        _ if error.code() == ErrorCode::SYSCALL || error.code() == ErrorCode::ZERO_RETURN => Trouble::Closed,
        _ => Trouble::Tls("the handshake failed without a reason".to_owned()),
    }
}

/// OpenSSL's words, without numbers and places.
fn reasons(stack: &ErrorStack) -> String {
    let words: Vec<&str> = stack.errors().iter().filter_map(|error| error.reason()).collect();
    if words.is_empty() { "OpenSSL gave no reason".to_owned() } else { words.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Domain;
    use crate::model::requirement::Parts;

    #[test]
    fn what_a_requirement_comes_to() {
        let name = Domain::parse("sni.example").expect("a name");
        let requirement = |level, servername| {
            Requirement::new(Parts { servername, ..Parts::of_level(level) }).expect("a requirement")
        };
        let cases = [
            (requirement(Level::Verify, None), false, Level::Verify, None),
            (
                requirement(Level::Verify, Some(ServerName::HostName)),
                false,
                Level::Verify,
                Some("mx.a.example"),
            ),
            (
                requirement(Level::Encrypt, Some(ServerName::NextHop)),
                false,
                Level::Encrypt,
                Some("a.example"),
            ),
            (requirement(Level::May, Some(ServerName::Name(name))), true, Level::May, Some("sni.example")),
            (requirement(Level::Dane, None), true, Level::Dane, Some("mx.a.example")),
            (requirement(Level::Dane, None), false, Level::May, None),
            (requirement(Level::DaneOnly, None), false, Level::DaneOnly, Some("mx.a.example")),
        ];
        for (requirement, tlsa, level, servername) in cases {
            let settings = Settings::of(&requirement, tlsa, "mx.a.example", "a.example");
            assert_eq!(
                (settings.level, settings.servername.as_deref()),
                (level, servername),
                "{requirement}"
            );
            assert_eq!(settings.security_level() == 1, judges_peer(level));
        }
    }
}
