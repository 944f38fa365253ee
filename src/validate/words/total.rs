//! The last lines of a report: how many there were of each verdict, and what to do next.

use super::few;
use super::lines::Lines;
use crate::validate::report::{Report, Verdict};

/// Writes them.
pub(super) fn of(lines: &mut Lines, report: &Report) {
    let connectors: Vec<Verdict> = report.connectors.iter().map(|connector| connector.verdict).collect();
    let places = |files: bool| -> Vec<Verdict> {
        let all = report.connectors.iter().flat_map(|connector| &connector.addresses);
        all.filter(|place| place.is_file() == files).map(|place| place.verdict).collect()
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
    let with = |verdict| {
        let those = report.connectors.iter().filter(move |connector| connector.verdict == verdict);
        those.map(|connector| connector.connector.as_str()).collect::<Vec<_>>()
    };
    let (failing, warned) = (with(Verdict::Fail), with(Verdict::Warn));
    let next = if !failing.is_empty() {
        format!(
            "Next: send the partner what is said above. Until it is mended, mail would wait or be refused at \
             what fails: do not switch on {}; run validate again then.",
            few(&failing)
        )
    } else if !warned.is_empty() {
        format!("Next: mail is delivered as agreed today; see to the warnings of {}.", few(&warned))
    } else if report.connectors.is_empty() {
        "Next: name a connector; nothing was tested.".to_owned()
    } else {
        "Next: nothing stands in the way of mode = \"enforce\".".to_owned()
    };
    lines.wrapped("", 0, &next);
}

fn counted(verdicts: &[Verdict]) -> String {
    let words = [(Verdict::Pass, "good"), (Verdict::Warn, "with warnings"), (Verdict::Fail, "failing")];
    let parts = words.into_iter().filter_map(|(verdict, words)| {
        let count = verdicts.iter().filter(|&&other| other == verdict).count();
        (count > 0).then(|| format!("{count} {words}"))
    });
    parts.collect::<Vec<_>>().join(", ")
}
