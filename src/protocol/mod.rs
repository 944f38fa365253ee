//! Bytes from a peer to a request, and an answer to bytes.
//!
//! One file for each thing on the wire: [`netstring`] frames and the [`socketmap`] requests inside them, [`policy`]
//! delegation, [`exim`]'s lines, the [`control`] socket's one-line commands, the heads of [`http`] requests and the
//! [`exposition`] that answers them, [`xtext`] inside certificate attributes, and [`escape`] for what of a peer may stand
//! in a log line.
//!
//! Promises: every decoder is a pure function over the bytes received so far. It borrows from them, reads each byte a
//! bounded number of times, never panics, and says the same however the bytes were cut into reads: "more bytes are
//! needed" (`None`), one request and how many bytes it took, or an [`Error`]. Pipelined requests are decoded by calling
//! again behind the bytes consumed.
//!
//! Refuses: whatever Postfix would not send. Two readers who disagree on where a request ends are how a second one is
//! smuggled in, so there is no leniency here. After an [`Error`] the connection is closed without a reply, which makes
//! Postfix try once more and then defer the mail.
//!
//! Logs nothing; knows no connector, no socket and no clock.

pub mod control;
pub(crate) mod decimal;
pub mod escape;
pub mod exim;
pub mod exposition;
pub mod http;
pub mod netstring;
pub mod policy;
pub mod socketmap;
pub mod xtext;

#[cfg(test)]
mod captures;
#[cfg(test)]
mod pieces;

/// What the peer broke. The text is for a log line and carries no byte of the peer's.
///
/// `Copy` and `Hash`, so that the one who logs can count and limit each kind by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Error {
    /// A netstring does not begin with decimal digits and a colon: sign, white space, or another protocol altogether.
    #[error("not a netstring: the length is not decimal digits and a colon")]
    LengthMalformed,
    /// A netstring's length is written with more zeros than it needs.
    #[error("not a netstring: the length has a leading zero")]
    LengthLeadingZero,
    /// A netstring announces more bytes than a request may have.
    #[error("the netstring is longer than {limit} bytes")]
    LengthOverLimit {
        /// The most bytes that the payload may have.
        limit: usize,
    },
    /// The byte behind a netstring's payload is not a comma.
    #[error("not a netstring: no comma behind the payload")]
    CommaMissing,
    /// A policy request does not end within the bytes it may have.
    #[error("the policy request is longer than {limit} bytes")]
    RequestTooLong {
        /// The most bytes of a request, with the empty line that ends it.
        limit: usize,
    },
    /// A policy request has more lines than any Postfix sends.
    #[error("the policy request has more than {limit} attributes")]
    TooManyAttributes {
        /// The most lines of a request, without the empty one that ends it.
        limit: usize,
    },
    /// The text before a line's first `=` is too long for an attribute's name, or there is no `=` where one must be.
    #[error("a name in the policy request is longer than {limit} bytes")]
    NameTooLong {
        /// The most bytes of an attribute's name.
        limit: usize,
    },
    /// A carriage return: lines end in a line feed alone.
    #[error("carriage return in the policy request")]
    CarriageReturn,
    /// A NUL byte, which other readers take for the end of the value.
    #[error("NUL byte in the policy request")]
    Nul,
    /// A line of a policy request is not `name=value`.
    #[error("a line of the policy request has no equals sign")]
    EqualsMissing,
    /// An attribute that decides is there twice; which one to believe is not for us to guess.
    #[error("the policy request has the attribute {0} twice")]
    AttributeTwice(&'static str),
    /// A policy request without `request=`.
    #[error("the policy request has no attribute request")]
    ServiceMissing,
    /// A policy request for something else than `smtpd_access_policy`.
    #[error("the policy request is not for smtpd_access_policy")]
    ServiceUnknown,
    /// A policy request without any attribute.
    #[error("the policy request is empty")]
    RequestEmpty,
    /// A `+` in xtext without its two upper-case hexadecimal digits.
    #[error("not xtext: a plus sign without two upper-case hexadecimal digits")]
    XtextEscape,
    /// A byte in xtext that must be written as `+XX`.
    #[error("not xtext: a byte that must be encoded is not")]
    XtextByte,
    /// A line from Exim does not end within the bytes it may have.
    #[error("the line is longer than {limit} bytes")]
    LineTooLong {
        /// The most bytes of a line, with the line feed.
        limit: usize,
    },
    /// Something stands behind the one line of a request from Exim.
    #[error("bytes behind the line")]
    LineTrailing,
    /// A NUL byte in a line from Exim.
    #[error("NUL byte in the line")]
    LineNul,
    /// A carriage return in a line from Exim; `${quote:}` writes it as `\\r`.
    #[error("carriage return in the line")]
    LineCarriageReturn,
    /// A line from Exim is not a verb and `key=value` pairs.
    #[error("the line is not a verb and pairs of key and value; is a value without ${{quote:}}?")]
    LineMalformed,
    /// A verb that is none of `out`, `cert`, `in`.
    #[error("unknown verb; this server has out, cert and in")]
    VerbUnknown,
    /// A key that the verb does not have.
    #[error("a key that this verb does not have")]
    KeyUnknown,
    /// A key that has to be there.
    #[error("the key {0} is missing")]
    KeyMissing(&'static str),
    /// A key that is there twice; which one to believe is not for us to guess.
    #[error("the key {0} is there twice")]
    KeyTwice(&'static str),
    /// A certificate that is not base64.
    #[error("the key der is not base64")]
    Base64,
    /// A line on the control socket does not end within the bytes it may have.
    #[error("the control command is longer than {limit} bytes")]
    CommandTooLong {
        /// The most bytes of a command, with the line feed.
        limit: usize,
    },
    /// A line on the control socket is none of the commands.
    #[error("unknown control command")]
    CommandUnknown,
    /// Not the head of an HTTP/1 request.
    #[error("not the head of an HTTP/1 request")]
    HttpMalformed,
    /// The head of an HTTP request does not end within the bytes it may have.
    #[error("the head of the HTTP request is longer than {limit} bytes")]
    HttpTooLong {
        /// The most bytes of a head, with the empty line that ends it.
        limit: usize,
    },
}
