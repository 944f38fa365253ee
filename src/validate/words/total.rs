//! The last lines of a report: how many there were of each verdict, and what to do next. A connector
//! that met nobody is none of the good ones, whatever its verdict.

use super::few;
use super::lines::Lines;
use crate::validate::report::{ConnectorReport, Report, Verdict};
use crate::validate::sight;

/// Writes them.
pub(super) fn of(lines: &mut Lines, report: &Report) {
    // Nobody met is no verdict.
    let verdict = |connector: &ConnectorReport| (!sight::met_nobody(connector)).then_some(connector.verdict);
    let connectors: Vec<Option<Verdict>> = report.connectors.iter().map(verdict).collect();
    let places = |files: bool| -> Vec<Option<Verdict>> {
        let all = report.connectors.iter().flat_map(|connector| &connector.addresses);
        all.filter(|place| place.is_file() == files).map(|place| Some(place.verdict)).collect()
    };
    for (verdicts, one, several) in [
        (connectors, "connector", "connectors"),
        (places(false), "address", "addresses"),
        (places(true), "file", "files"),
    ] {
        let noun = if verdicts.len() == 1 { one } else { several };
        if !verdicts.is_empty() {
            lines.wrapped("", 0, &format!("{} {noun}: {}.", verdicts.len(), counted(&verdicts)));
        }
    }
    let with = |wanted: Option<Verdict>| {
        let those = report.connectors.iter().filter(|connector| verdict(connector) == wanted);
        those.map(|connector| connector.connector.as_str()).collect::<Vec<_>>()
    };
    let good = with(Some(Verdict::Pass));
    let (failing, warned, untested) = (with(Some(Verdict::Fail)), with(Some(Verdict::Warn)), with(None));
    let of_tested = if !failing.is_empty() {
        format!(
            "Next: send the partner what is said above, and run validate again when it is mended. In mode = \
             \"enforce\" mail of {} waits, or is refused, at what fails until then.",
            few(&failing)
        )
    } else if !warned.is_empty() {
        format!("Next: mail is delivered as agreed today; see to the warnings of {}.", few(&warned))
    } else if report.connectors.is_empty() {
        "Next: name a connector; nothing was tested.".to_owned()
    } else if good.is_empty() {
        "Next: see above why nothing was tested.".to_owned()
    } else {
        "Next: nothing stands in the way of mode = \"enforce\".".to_owned()
    };
    let of_others = if untested.is_empty() {
        String::new()
    } else {
        format!(" Nothing is known of {}, which met nobody.", few(&untested))
    };
    lines.wrapped("", 0, &format!("{of_tested}{of_others}"));
}

fn counted(verdicts: &[Option<Verdict>]) -> String {
    let words = [
        (Some(Verdict::Pass), "good"),
        (Some(Verdict::Warn), "with warnings"),
        (Some(Verdict::Fail), "failing"),
        (None, "not tested"),
    ];
    let parts = words.into_iter().filter_map(|(verdict, words)| {
        let count = verdicts.iter().filter(|&&other| other == verdict).count();
        (count > 0).then(|| format!("{count} {words}"))
    });
    parts.collect::<Vec<_>>().join(", ")
}
