//! Where Exim asks, and whether it is let in there.

use std::path::Path;

use super::kinds::{SOCKET_ACCESS, SOCKET_PATH};
use super::{Patient, finding};
use crate::mta::exim::host::Access;
use crate::mta::exim::question::Question;
use crate::mta::finding::{Finding, Kind};

/// The macro that contrib has for it.
const MACRO: &str = "CONNECTORD_SOCKET";

pub(super) fn sockets(patient: &Patient<'_>) -> Vec<Finding> {
    let mut paths: Vec<&str> = Vec::new();
    for path in asked_at(patient) {
        // What is known at delivery only is not known here.
        if !path.contains('$') && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths.into_iter().filter_map(|path| at(patient, path)).collect()
}

/// The paths in all questions.
fn asked_at<'p>(patient: &Patient<'p>) -> impl Iterator<Item = &'p str> + use<'p> {
    let settings = patient.settings;
    let drivers = settings.routers.iter().chain(&settings.transports);
    let options = drivers.flat_map(|driver| driver.values().map(|(_, value)| value));
    let conditions = settings.written.values();
    let questions = |text| ["out", "cert", "in"].into_iter().flat_map(move |verb| Question::all(text, verb));
    options.chain(conditions).flat_map(questions).map(|question| question.socket)
}

fn at(patient: &Patient<'_>, path: &str) -> Option<Finding> {
    let user = patient.settings.main("exim_user");
    let sockets = &patient.host.sockets;
    let Some(socket) = sockets.iter().find(|socket| is_same(&socket.path, path)) else {
        let right = sockets.first().map(|socket| socket.path.display().to_string()).unwrap_or_default();
        let message = format!("connectord.toml has the socket at {right}, and not here: nobody answers");
        let mend = patient.set_macros(&[(MACRO, &right)]);
        return found(patient, &SOCKET_PATH, &message, path, mend);
    };
    match &socket.access {
        Access::Open => None,
        Access::Missing => {
            let message = "there is no socket: the daemon does not run, or does not listen here".to_owned();
            found(patient, &SOCKET_ACCESS, &message, path, patient.host.start.clone())
        }
        Access::Silent => {
            let message = "nobody listens at it: the daemon does not run".to_owned();
            found(patient, &SOCKET_ACCESS, &message, path, patient.host.start.clone())
        }
        Access::Denied(mend) => {
            let mut message = format!(
                "user {user} may not connect to it: write `group` into [[listen]] of connectord.toml, or into its unit"
            );
            if !mend.is_empty() {
                message.push_str("; the commands let it in until the socket is made anew");
            }
            found(patient, &SOCKET_ACCESS, &message, path, mend.clone())
        }
    }
}

/// Whether two paths are one: /var/run is a link to /run (FHS 3.0 section 5.13).
fn is_same(socket: &Path, asked: &str) -> bool {
    let run = |path: &Path| {
        path.strip_prefix("/var/run").map_or(path.to_owned(), |rest| Path::new("/run").join(rest))
    };
    run(socket) == run(Path::new(asked))
}

fn found(
    patient: &Patient<'_>,
    kind: &'static Kind,
    message: &str,
    path: &str,
    mend: Vec<String>,
) -> Option<Finding> {
    let outbound = patient.outbound().map(|connector| connector.name.as_str());
    let connectors = outbound.chain(patient.inbound().map(|connector| connector.name.as_str()));
    let place = if patient.settings.written.defines(MACRO) {
        format!("{MACRO} = {path}")
    } else {
        format!("readsocket {path}")
    };
    finding(kind, connectors, message, place, mend)
}
