//! What a run could see. One that the DNS or the time failed says nothing of what it did not see:
//! a host that is missing in its report is not gone.

use std::collections::BTreeSet;

use super::report::{AddressReport, ConnectorReport, Finding, Verdict};

/// The code of what there was no time for.
pub const OUT_OF_TIME: &str = "out-of-time";

/// The code of hosts that were looked at for a recipient of the test mail alone.
pub const FOR_RECIPIENT: &str = "recipient-domain";

/// The beginning of the codes for a DNS that fails.
const DNS: &str = "dns-";

/// Nothing was looked at, and that is no failure: the patterns of the connector name no domain.
pub fn met_nobody(report: &ConnectorReport) -> bool {
    report.addresses.is_empty() && report.verdict != Verdict::Fail
}

/// Whether hosts may be missing.
pub fn hides_hosts(report: &ConnectorReport) -> bool {
    ran_out_of_time(report) || !blind(report).is_empty()
}

/// Whether one of two runs saw hosts that the other could not see. What both could not see makes no
/// difference between them.
pub fn differs(before: &ConnectorReport, now: &ConnectorReport) -> bool {
    ran_out_of_time(before) || ran_out_of_time(now) || blind(before) != blind(now)
}

fn ran_out_of_time(report: &ConnectorReport) -> bool {
    let findings = report.findings.iter().map(|finding| &finding.code);
    findings.chain(report.addresses.iter().map(|address| &address.code)).any(|code| code == OUT_OF_TIME)
}

/// What the DNS did not tell.
fn blind(report: &ConnectorReport) -> BTreeSet<(&str, &str)> {
    let is_blind = |code: &str| code.starts_with(DNS) || code == "no-such-domain";
    let blind = report.findings.iter().filter(|finding| is_blind(&finding.code));
    blind.map(|finding| (finding.code.as_str(), finding.reason.as_str())).collect()
}

/// Whether it looked at more than a run without a recipient does: the next such run would miss it.
pub fn looked_further(report: &ConnectorReport) -> bool {
    report.findings.iter().any(|finding| finding.code == FOR_RECIPIENT)
}

/// Whether addresses of a host may be missing.
pub fn hides_addresses(report: &ConnectorReport, host: &str) -> bool {
    let blind = |address: &AddressReport| {
        address.host == host && address.address.is_none() && address.code.starts_with(DNS)
    };
    let incomplete = |finding: &Finding| finding.code == "addresses-incomplete";
    hides_hosts(report) || report.findings.iter().any(incomplete) || report.addresses.iter().any(blind)
}

/// Whether the time is all that it fails for, or it was cut off: then it says nothing of the partner.
pub fn only_ran_out_of_time(report: &ConnectorReport) -> bool {
    if report.findings.iter().any(|finding| finding.code == OUT_OF_TIME) {
        return true;
    }
    let findings = report.findings.iter().map(|finding| (finding.verdict, &finding.code));
    let addresses = report.addresses.iter().map(|address| (address.verdict, &address.code));
    let mut failing = findings.chain(addresses).filter(|(verdict, _)| *verdict == Verdict::Fail).peekable();
    report.verdict == Verdict::Fail
        && failing.peek().is_some()
        && failing.all(|(_, code)| code == OUT_OF_TIME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::sample::{address, connector};

    const NOW: &str = "2026-11-25T12:00:00Z";

    fn found(verdict: Verdict, code: &str) -> ConnectorReport {
        let mut report = connector("bank", verdict, NOW);
        let (code, reason, detail) = (code.to_owned(), String::new(), String::new());
        report.findings.push(Finding { verdict, code, reason, detail });
        report
    }

    /// At the host `mx1`, without an address where a name was not found.
    fn at_address(verdict: Verdict, code: &str, known: bool) -> ConnectorReport {
        let mut report = connector("bank", verdict, NOW);
        let mut place = address("mx1", "192.0.2.1", verdict);
        place.code = code.to_owned();
        place.address = place.address.filter(|_| known);
        report.addresses.push(place);
        report
    }

    #[test]
    fn what_is_hidden() {
        use Verdict::{Fail, Warn};
        // Hosts, addresses of mx1, addresses of mx2, nothing but the time.
        let table = [
            (found(Fail, "dns-failure"), [true, true, true, false]),
            (found(Fail, "dns-timeout"), [true, true, true, false]),
            (found(Fail, "no-such-domain"), [true, true, true, false]),
            (found(Fail, "out-of-time"), [true, true, true, true]),
            (found(Fail, "null-mx"), [false, false, false, false]),
            (found(Warn, "addresses-incomplete"), [false, true, true, false]),
            (at_address(Fail, "out-of-time", true), [true, true, true, true]),
            (at_address(Fail, "dns-timeout", false), [false, true, false, false]),
            (at_address(Fail, "host-not-found", false), [false, false, false, false]),
            (at_address(Fail, "timeout", true), [false, false, false, false]),
            (connector("bank", Fail, NOW), [false, false, false, false]),
        ];
        for (report, expected) in table {
            let seen = [
                hides_hosts(&report),
                hides_addresses(&report, "mx1"),
                hides_addresses(&report, "mx2"),
                only_ran_out_of_time(&report),
            ];
            assert_eq!(seen, expected, "{report:?}");
        }
        // Something else fails too.
        let mut both = at_address(Fail, "out-of-time", true);
        both.addresses.push(address("mx2", "192.0.2.2", Fail));
        assert!(!only_ran_out_of_time(&both));
    }
}
