//! `address` of a `[[listen]]`: a port of the loopback interface.
//!
//! Whoever reaches it can read which partners there are and whether they are tested, without a password. So nobody
//! outside of this host does: any other address is refused.

use std::net::SocketAddr;

use super::listen::{At, ListenProtocol};
use super::problem::shown;
use super::reading::Reading;
use super::source::Place;
use super::table::{Item, Table};

/// What to write instead.
const LOOPBACK: &str =
    "write \"127.0.0.1:PORT\" or \"[::1]:PORT\"; what makes it reachable must ask who is there";

/// Reads it, and looks for what does not go with it in its table.
pub(super) fn read(
    reading: &mut Reading,
    table: &Table<'_>,
    item: Item<'_>,
    protocol: Option<ListenProtocol>,
) -> Option<(At, Place)> {
    let text = item.text(reading)?;
    if protocol.is_some_and(|protocol| protocol != ListenProtocol::Metrics) {
        reading.problem(
            item.key_place,
            "only metrics are served at an address",
            "write the `path` of a socket",
        );
        return None;
    }
    let mut alone = true;
    for key in ["path", "group", "mode"] {
        if let Some(other) = table.find(key) {
            let message = format!("`{key}` does not go with `address`");
            reading.problem(other.key_place, message, "remove one of the two");
            alone = false;
        }
    }
    let refusal = match text.text.parse::<SocketAddr>() {
        Err(_) => "is no address with a port",
        Ok(address) if address.port() == 0 => "has no port",
        Ok(address) if !address.ip().is_loopback() => {
            "is not on the loopback interface: others than this host could read it"
        }
        Ok(address) => return alone.then_some((At::Address(address), text.place)),
    };
    reading.problem(text.place, format!("{} {refusal}", shown(text.text)), LOOPBACK);
    None
}
