//! What becomes of an address by what its server says to the test mail.
use super::*;

#[test]
fn test_mails() {
    let signers = Signers::new();
    let one = |text: &str| vec![text.to_owned()];
    let refused = || vec![("a@a.example".to_owned(), "550 5.1.1 no".to_owned())];
    let later = || vec![("c@a.example".to_owned(), "450 4.2.0 greylisted".to_owned())];
    let unsendable = || vec![("d\u{fc}@a.example".to_owned(), "no address that can be sent".to_owned())];
    let mail = |accepted, refused, taken: Option<&str>| {
        Some(TestMail { accepted, refused, taken: taken.map(str::to_owned) })
    };
    let no = |stage| Some((stage, Trouble::Reply("554 5.7.1 spam".to_owned())));
    let table = [
        (mail(one("b@a.example"), vec![], Some("250 ok")), None, Pass, "ok"),
        (mail(one("b@a.example"), vec![], None), None, Pass, "ok"),
        (mail(one("b@a.example"), refused(), Some("250 ok")), None, Warn, "recipient-refused"),
        (mail(vec![], refused(), None), None, Fail, "recipient-refused"),
        (mail(vec![], unsendable(), None), None, Fail, "recipient-refused"),
        (mail(vec![], later(), None), None, Warn, "recipient-deferred"),
        (mail(one("b@a.example"), later(), Some("250 ok")), None, Warn, "recipient-deferred"),
        // Whoever is refused for good is what has to be told.
        (mail(vec![], [later(), refused()].concat(), None), None, Fail, "recipient-refused"),
        (
            mail(one("b@a.example"), [later(), refused()].concat(), Some("250 ok")),
            None,
            Warn,
            "recipient-refused",
        ),
        (mail(vec![], vec![], None), no(Stage::Mail), Fail, "test-mail-refused"),
        (mail(one("b@a.example"), vec![], Some("554 spam")), no(Stage::Data), Fail, "test-mail-refused"),
    ];
    for (mail, trouble, verdict, code) in table {
        let scene = Scene { mail: mail.clone(), trouble, ..signers.good("verify") };
        let (report, _) = signers.judged(&scene);
        assert_eq!((report.verdict, report.code.as_str()), (verdict, code), "{mail:?}");
        assert!(report.test_mail.is_some_and(|words| !words.is_empty()));
    }
    let (report, _) = signers.judged(&Scene { mail: mail(vec![], later(), None), ..signers.good("verify") });
    assert_eq!(
        report.reason,
        "mail for c@a.example is not taken yet; the server asks to try again later, as with greylisting"
    );
    assert_eq!(report.detail, "450 4.2.0 greylisted");
}
