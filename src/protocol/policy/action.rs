//! The reply: one `action=` line and an empty one.
//!
//! Promises: nothing but the closed set of [`is_closed`] is ever written, with line feeds alone (smtpd waits for ever for the
//! empty line of a reply with `\r\n`). Nothing in that set makes smtpd accept what it would have refused without us.
//!
//! Refuses: any other action; see [`encode_action`].

/// The longest text behind an action's word or code: `connector NAME: TEXT` with a name of 64 and a text of 200 bytes.
/// smtpd cuts its reply, which has the recipient's address too, at 510.
pub const TEXT_LIMIT: usize = "connector ".len() + 64 + ": ".len() + 200;

/// What is sent in place of an action that is not [closed](is_closed): the client is told to try again.
const UNDECIDED: &str = "451 4.3.0 the reply could not be formed";

/// Appends the reply `action=<action>` and its empty line to `out`.
///
/// `action` must be [closed](is_closed). One that is not is a defect of ours: debug builds panic, others defer the mail,
/// because smtpd takes an empty action, digits alone, or what stands before a NUL, for *accept*.
pub fn encode_action(action: &str, out: &mut Vec<u8>) {
    let closed = is_closed(action);
    debug_assert!(closed, "not an action of ours: {action:?}");
    out.extend_from_slice(b"action=");
    out.extend_from_slice(if closed { action } else { UNDECIDED }.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Whether `action` is one of the closed set of what we ever say.
///
/// `DUNNO`; or `REJECT`, `DEFER_IF_PERMIT`, `HOLD`, or a 4xx or 5xx code with the enhanced code of the same class, and then a
/// text that begins with a letter, is printable ASCII and has at most [`TEXT_LIMIT`] bytes. None of these makes smtpd
/// accept what it would have refused without us (`smtpd/smtpd_check.c:check_table_result`).
#[must_use]
pub fn is_closed(action: &str) -> bool {
    if action == "DUNNO" {
        return true;
    }
    let Some((verb, rest)) = action.split_once(' ') else {
        return false;
    };
    let text = match verb {
        "REJECT" | "DEFER_IF_PERMIT" | "HOLD" => rest,
        code => match rest.split_once(' ') {
            Some((enhanced, text)) if of_one_class(code, enhanced) => text,
            _ => return false,
        },
    };
    text.len() <= TEXT_LIMIT
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// An SMTP code of three digits and an enhanced code (RFC 3463 section 2) that both say 4, or both 5.
fn of_one_class(code: &str, enhanced: &str) -> bool {
    let digits = |text: &str| matches!(text.len(), 1..=3) && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = enhanced.split('.');
    let (Some(class @ ("4" | "5")), Some(subject), Some(detail), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    code.len() == 3 && digits(code) && code.starts_with(class) && digits(subject) && digits(detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn i3_actions_of_ours() {
        let name = "n".repeat(64);
        let text = "t".repeat(200);
        let longest = format!("530 5.7.0 connector {name}: {text}");
        for action in [
            "DUNNO",
            "530 5.7.0 connector contoso-bank-in: TLS is required",
            "550 5.7.1 connector a: certificate name a.example does not match *.contoso.com",
            "450 4.7.0 connector a: TLSv1.2 or newer is required, TLSv1.1 was used",
            "421 4.123.999 t",
            "HOLD connector a: client address is not in the agreed ranges",
            "REJECT t",
            "DEFER_IF_PERMIT t",
            &longest,
            UNDECIDED,
        ] {
            assert!(is_closed(action), "{action}");
            let mut out = b"before".to_vec();
            encode_action(action, &mut out);
            assert_eq!(out, format!("beforeaction={action}\n\n").as_bytes());
        }
    }

    #[test]
    fn i3_actions_that_are_never_sent() {
        // A byte more than the longest name and the longest text behind it.
        let too_long = format!("530 5.7.0 connector {}: {}", "n".repeat(64), "t".repeat(201));
        for action in [
            "",
            " ",
            "OK",
            "PERMIT",
            "OK t",
            "RELAY",
            "dunno",
            "DUNNO ",
            "DUNNO t",
            "DUNNO\n",
            "DISCARD t",
            "FILTER smtp:x",
            "250",
            "20260823",
            "550",
            "550 ",
            "550 text",
            "550 5.7.1",
            "550 5.7.1 ",
            "550 5.7.1  text",
            "550 4.7.1 text",
            "450 5.7.1 text",
            "250 2.0.0 text",
            "650 6.0.0 text",
            "5500 5.7.1 text",
            "55 5.7.1 text",
            "5x0 5.7.1 text",
            "550 5.7 text",
            "550 5.7.1.1 text",
            "550 5..1 text",
            "550 5.7.1234 text",
            "550 5.7.+1 text",
            "REJECT",
            "REJECT ",
            "REJECT 250 text",
            "reject text",
            "HOLD",
            "REJECT a\naction=OK",
            "OK\0REJECT t",
            "REJECT a\0b",
            "REJECT a\r",
            "REJECT bücher",
            "REJECT a\x7f",
            &too_long,
        ] {
            assert!(!is_closed(action), "{action:?}");
        }
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "not an action of ours")]
    fn i3_an_open_action_is_found_in_debug_builds() {
        encode_action("OK", &mut Vec::new());
    }

    #[test]
    #[cfg(not(debug_assertions))]
    fn i2_an_open_action_defers_in_release_builds() {
        let mut out = Vec::new();
        encode_action("OK", &mut out);
        assert_eq!(out, format!("action={UNDECIDED}\n\n").as_bytes());
    }

    proptest! {
        #[test]
        fn a_closed_action_is_one_line_that_accepts_nothing(action in "(DUNNO|REJECT|HOLD|OK|[2-6][0-9]{2} [2-6]\\.[0-9]\\.[0-9]|)( ?[ -~]{0,8}|[\r\n\x00a])") {
            if is_closed(&action) {
                prop_assert!(action.bytes().all(|byte| matches!(byte, b' '..=b'~')));
                prop_assert!(!action.bytes().all(|byte| byte.is_ascii_digit() || byte == b' '));
                prop_assert!(["DUNNO", "REJECT ", "HOLD ", "4", "5"].iter().any(|start| action.starts_with(start)));
            }
        }
    }
}
