//! What is said, and under which names. The names are an interface: alerts and dashboards rely on them.
//!
//! A counter begins with the daemon, and grows over reloads. Each connector that takes part has its usual verdicts from
//! the start, so that the first mail that is refused is seen as one more. A connector that is no longer configured is
//! gone from the text, with its counts; one that comes back under its name begins at 0, as after a restart.

use jiff::Timestamp;

use super::Tested;
use crate::config::ListenProtocol;
use crate::model::Mode;
use crate::protocol::exposition::{Exposition, Kind};
use crate::server::counters::{Part, Verdicts};
use crate::server::service::Current;
use crate::server::status::Sources;
use crate::snapshot::{Direction, Snapshot};

/// The whole text.
pub(super) fn of(sources: &Sources, current: &Current, results: Option<&[Tested]>) -> String {
    let mut text = Exposition::default();
    daemon(sources, &mut text);
    configuration(sources, &current.snapshot, &mut text);
    traffic(sources, &mut text);
    decisions(sources, current, &mut text);
    validation(results, &mut text);
    text.finish()
}

fn daemon(sources: &Sources, text: &mut Exposition) {
    let version = env!("CARGO_PKG_VERSION");
    text.family("connectord_build_info", Kind::Gauge, "The version that runs.")
        .sample(&[("version", version)], 1);
    text.gauge(
        "connectord_start_time_seconds",
        "When the daemon was started, in seconds since 1970.",
        sources.started.as_second(),
    );
    let counters = &sources.service.counters;
    text.counter(
        "connectord_panics_total",
        "Panics on behalf of a connection. Each is a defect.",
        counters.panics(),
    );
    let lost = sources.service.journal.lost();
    text.counter("connectord_log_lines_lost_total", "Lines of the log that nobody took in time.", lost);
}

fn configuration(sources: &Sources, snapshot: &Snapshot, text: &mut Exposition) {
    text.gauge(
        "connectord_generation",
        "The generation of the configuration that is served: 1 at the start, one more with each reload.",
        snapshot.generation(),
    );
    text.family("connectord_config_info", Kind::Gauge, "The SHA-256 of the configuration that is served.")
        .sample(&[("sha256", snapshot.sha256())], 1);
    let last = sources.reloads.last();
    text.gauge(
        "connectord_config_last_reload_successful",
        "Whether the last load succeeded: what is served is what the files said then.",
        last.ok,
    );
    text.gauge(
        "connectord_config_last_reload_timestamp_seconds",
        "When the last load was, successful or not.",
        last.at.as_second(),
    );
    text.gauge(
        "connectord_config_last_reload_success_timestamp_seconds",
        "When what is served was loaded.",
        sources.reloads.loaded_at().as_second(),
    );
    let last_good = sources.reloads.last_good();
    text.gauge(
        "connectord_last_good_served",
        "Whether the last good configuration is served in place of files that do not load, or are weaker.",
        last_good.served,
    );
    text.gauge(
        "connectord_last_good_kept",
        "Whether what is served is kept for the next start.",
        last_good.kept,
    );
    text.gauge(
        "connectord_last_good_unaccepted",
        "Whether what is served may be weaker than what was served before, and somebody has yet to accept it.",
        last_good.unaccepted,
    );
    let mut family = text.family("connectord_connectors", Kind::Gauge, "How many connectors there are.");
    for direction in [Direction::Outbound, Direction::Inbound] {
        for mode in [Mode::Enforce, Mode::Report, Mode::Off] {
            let count =
                connectors(snapshot).filter(|each| (each.direction, each.mode) == (direction, mode)).count();
            family.sample(&[("direction", direction.word()), ("mode", mode.word())], number(count));
        }
    }
    let mut family = text.family("connectord_connector_info", Kind::Gauge, "The connectors, one by one.");
    for Connector { name, direction, mode } in connectors(snapshot) {
        family.sample(&[("connector", name), ("direction", direction.word()), ("mode", mode.word())], 1);
    }
}

fn traffic(sources: &Sources, text: &mut Exposition) {
    text.gauge("connectord_connections", "Connections of MTAs that are open.", number(sources.pool.taken()));
    text.gauge(
        "connectord_connections_max",
        "How many of them there can be; then one that waits makes room.",
        number(sources.seats),
    );
    let traffic = &sources.service.traffic;
    let mut family =
        text.family("connectord_requests_total", Kind::Counter, "Questions of MTAs that were answered.");
    for protocol in ListenProtocol::ALL.into_iter().filter(|protocol| protocol.is_for_mta()) {
        family.sample(&[("protocol", protocol.word())], traffic.of(protocol).requests.get());
    }
    let mut family =
        text.family("connectord_connections_total", Kind::Counter, "Connections that were accepted.");
    for protocol in ListenProtocol::ALL {
        family.sample(&[("protocol", protocol.word())], traffic.of(protocol).connections.get());
    }
    let mut family = text.family(
        "connectord_connections_closed_total",
        Kind::Counter,
        "How connections ended: closed and stopping are as they should be, idle and made_room make room for others, \
         unfinished and unread took too long, cut, malformed and failed broke off.",
    );
    for protocol in ListenProtocol::ALL {
        for (reason, count) in traffic.of(protocol).ends() {
            family.sample(&[("protocol", protocol.word()), ("reason", reason)], count);
        }
    }
    let mut family = text.family(
        "connectord_accept_failures_total",
        Kind::Counter,
        "Times that the system had no descriptor or memory for a connection.",
    );
    for protocol in ListenProtocol::ALL {
        family.sample(&[("protocol", protocol.word())], traffic.of(protocol).failures.get());
    }
}

fn decisions(sources: &Sources, current: &Current, text: &mut Exposition) {
    let mut nobody = Verdicts::new();
    let mut connectors = connectors(&current.snapshot);
    let mut family = text.family(
        "connectord_decisions_total",
        Kind::Counter,
        "Answers in which a connector took part, by its verdict; with mode report, what it would have been.",
    );
    sources.service.counters.each(&current.snapshot, &current.tally, |verdicts| {
        let Some(Connector { name, direction, mode }) = connectors.next() else {
            nobody = verdicts;
            return;
        };
        let usual: &[&str] = match (mode, direction) {
            (Mode::Off, _) => &[],
            (Mode::Enforce | Mode::Report, Direction::Outbound) => &["ok", "temp", "refused"],
            (Mode::Enforce | Mode::Report, Direction::Inbound) => &["pass", "hold", "defer", "reject"],
        };
        let part = if mode == Mode::Report { Part::Reported } else { Part::Decided };
        for (verdict, part, count) in with_usual(verdicts, usual, part) {
            let mode = match part {
                Part::Decided => Mode::Enforce,
                Part::Reported => Mode::Report,
            };
            let labels = [
                ("connector", name),
                ("direction", direction.word()),
                ("mode", mode.word()),
                ("verdict", verdict),
            ];
            family.sample(&labels, count);
        }
    });
    let mut family = text.family(
        "connectord_decisions_without_connector_total",
        Kind::Counter,
        "Answers that no enforcing connector had a part in, by verdict: perm, temp and defer are questions that could \
         not be read, or decided.",
    );
    let usual = ["notfound", "pass", "perm", "temp", "defer"];
    for (verdict, _, count) in with_usual(nobody, &usual, Part::Decided) {
        family.sample(&[("verdict", verdict)], count);
    }
}

/// What was counted, and nothing of what is usual and was not.
fn with_usual(mut verdicts: Verdicts, usual: &[&'static str], part: Part) -> Verdicts {
    for verdict in usual.iter().copied() {
        if verdicts.iter().all(|(there, of, _)| (*there, *of) != (verdict, part)) {
            verdicts.push((verdict, part, 0));
        }
    }
    verdicts
}

fn validation(results: Option<&[Tested]>, text: &mut Exposition) {
    text.gauge(
        "connectord_validation_readable",
        "Whether the results of connectord validate could be read; without, nothing is said of them.",
        results.is_some(),
    );
    let results = results.unwrap_or_default();
    let mut family = text.family(
        "connectord_validation_state",
        Kind::Gauge,
        "Whether a partner passes: validated, warned, stale, failed, never or unusable.",
    );
    for tested in results {
        family.sample(&[("connector", tested.connector.as_str()), ("state", tested.state)], 1);
    }
    let name = "connectord_validation_timestamp_seconds";
    times(text, name, "When a partner was last tested.", results, |tested| tested.at);
    let name = "connectord_validation_certificate_expiry_timestamp_seconds";
    let help = "When the first of the certificates seen at a partner expires.";
    times(text, name, help, results, |tested| tested.expires);
}

/// A family of a time of each that has it.
fn times(
    text: &mut Exposition,
    name: &'static str,
    help: &'static str,
    results: &[Tested],
    time: impl Fn(&Tested) -> Option<Timestamp>,
) {
    let mut family = text.family(name, Kind::Gauge, help);
    for (tested, time) in results.iter().filter_map(|tested| Some((tested, time(tested)?))) {
        family.sample(&[("connector", tested.connector.as_str())], time.as_second());
    }
}

struct Connector<'s> {
    name: &'s str,
    direction: Direction,
    mode: Mode,
}

/// Every connector, in the order in which they are counted.
fn connectors(snapshot: &Snapshot) -> impl Iterator<Item = Connector<'_>> {
    let outbound = snapshot.outbound().iter().map(|connector| Connector {
        name: connector.agreement.name.as_str(),
        direction: Direction::Outbound,
        mode: connector.agreement.mode,
    });
    let inbound = snapshot.inbound().iter().map(|connector| Connector {
        name: connector.name.as_str(),
        direction: Direction::Inbound,
        mode: connector.mode,
    });
    outbound.chain(inbound)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
