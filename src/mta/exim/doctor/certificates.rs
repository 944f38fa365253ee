//! Whether a transport asks about the certificate that it was shown, and obeys the answer.

use crate::mta::exim::question::Question;
use crate::mta::exim::settings::Driver;

/// What makes nothing of the answer `ok`, and leaves any other one: contrib's CONNECTORD_CERTIFICATE.
const ALL_BUT_OK: (&str, &str) = ("${sg{connectord: <", r">}{\N^connectord: <ok\.>$\N}{}}");

/// What stands around that in authenticated_sender.
const AT_MAIL: (&str, &str) = ("${if bool{${if eq{}{", "}{false}{connectord refuses the certificate}}}}");

/// Whether a transport asks between the handshake and MAIL, as contrib does in authenticated_sender. A question in
/// event_action alone fails open: Exim goes on when its expansion fails, or no event is raised. What else somebody may write there is
/// too easily wrong to be taken for right: it must stop the mail when the answer is not exactly `ok`, and when there is
/// none.
pub(super) fn is_asked(transport: &Driver) -> bool {
    let mut questions = Question::all(transport.option("authenticated_sender"), "cert");
    let (Some(question), None) = (questions.next(), questions.next()) else { return false };
    question.fail.is_some_and(|fail| fail != "ok.")
        && question.before == [AT_MAIL.0, ALL_BUT_OK.0].concat()
        && question.after == [ALL_BUT_OK.1, AT_MAIL.1].concat()
}
