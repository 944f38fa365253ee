//! Certificates that are over, or not begun: told once, as a reason or as a warning.
use super::*;

/// A date is warned of where it stops nothing, and where something else is told in its place.
#[test]
fn a_date_that_is_the_reason_is_no_warning_besides() {
    let signers = Signers::new();
    let now = Timestamp::now().as_second();
    let day = 24 * 60 * 60;
    let over = Form { to: now - 60, ..Form::server(&[HOST]) };
    let ahead = Form { from: now + day, to: now + YEAR, ..Form::server(&[HOST]) };
    let own = |demand: &str| Scene { presented: vec![over.self_signed()], ..signers.good(demand) };
    let pinned_itself = |form: &Form| Scene {
        presented: vec![form.self_signed()],
        leaf_is_trusted: true,
        ..signers.good("secure mx.a.example")
    };
    const NOT_HERE: &str = ", which this level does not look at";
    const ITSELF: &str = ", which does not count: it is itself in the connector's ca_file";
    // (scene, code of the decision, the warning's code and end)
    let table = [
        (signers.scene("verify", &over), "expired", None),
        (signers.scene("secure mx.a.example", &over), "expired", None),
        (signers.scene("verify", &ahead), "not-yet-valid", None),
        (signers.scene("encrypt", &over), "expired", Some(("expired", NOT_HERE))),
        (signers.scene("may", &ahead), "not-yet-valid", Some(("not-yet-valid", NOT_HERE))),
        (own("verify"), "self-signed", Some(("expired", ""))),
        (pinned_itself(&over), "expired", Some(("expired", ITSELF))),
        (pinned_itself(&ahead), "not-yet-valid", Some(("not-yet-valid", ITSELF))),
    ];
    for (scene, code, warning) in table {
        let (report, _) = signers.judged(&scene);
        assert_eq!(report.code, code, "{}", scene.demand);
        let said: Vec<(&str, &str)> = report
            .warnings
            .iter()
            .map(|one| (one.code.as_str(), one.reason.find(',').map_or("", |comma| &one.reason[comma..])))
            .collect();
        assert_eq!(said, warning.into_iter().collect::<Vec<_>>(), "{}", scene.demand);
    }
}
