//! What an answer costs, beside what any server on the same runtime costs.
//!
//! `cargo bench --bench daemon` runs the real binary and a [`baseline`] that always says the same,
//! asks both over their sockets, checks every reply, and prints the tables of the README:
//!
//! * **speed**: requests for each second of the *server's* CPU time, as a ratio to the baseline's.
//!   All servers run side by side and take turns within a round, so what else the machine does
//!   falls on all of them; of each figure the median of the rounds counts. A second copy of the
//!   baseline takes part in every round: how far its ratio is from 1.00 is the noise.
//! * **size**: the time from the start to the first right reply, of a reload, and the memory, for
//!   as many domains as the largest user has.
//! * **soak**, only when it is asked for: half an hour of everything at once; see [`soak`].
//!
//! ```text
//! cargo bench --bench daemon [-- [speed] [size] [--rounds N] [--seconds S]
//!                                [--connections N] [--only WORDS]
//!                                [soak] [--minutes M]]
//! ```
//!
//! `--only` takes the rows that have these words: of **speed** beside the baseline's, of **size** in its
//! first table, and only that.
//!
//! Server and clients have a CPU each, as far as there are two. It needs about 1 GB of room in the
//! directory for temporary files.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]
#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod baseline;
mod client;
mod figures;
mod flatness;
mod journal;
mod partners;
mod questions;
mod server;
mod size;
mod soak;
mod speed;

use std::process::ExitCode;
use std::time::Duration;

/// How much is measured.
pub struct Effort {
    /// How often each figure is taken.
    pub rounds: usize,
    /// How long for, each time.
    pub time: Duration,
    /// Connections at a time.
    pub connections: Vec<usize>,
    /// What must stand in the name of a row.
    pub only: String,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    if let Some((kind, path)) = baseline::asked_for() {
        baseline::serve(kind, &path);
        return ExitCode::SUCCESS;
    }
    let mut effort = Effort {
        rounds: 5,
        time: Duration::from_millis(1_500),
        connections: vec![1, 8, 50, 200],
        only: String::new(),
    };
    let mut minutes = 30.0;
    let mut parts = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--only" {
            effort.only = arguments.next().expect("words");
            continue;
        }
        let mut number = || arguments.next().and_then(|text| text.parse::<f64>().ok()).expect("a number");
        match argument.as_str() {
            "--connections" => effort.connections = vec![number() as usize],
            "--rounds" => effort.rounds = number() as usize,
            "--seconds" => effort.time = Duration::from_secs_f64(number()),
            "--minutes" => minutes = number(),
            "speed" | "size" | "soak" => parts.push(argument),
            _ => panic!("unknown argument {argument}; see the head of benches/daemon/main.rs"),
        }
    }
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    server::raise_limit_on_files();
    if wants("speed") {
        speed::measure(&effort);
    }
    if wants("size") {
        size::measure(&effort);
    }
    // Not among what runs unasked.
    if parts.iter().any(|part| part == "soak") && !soak::holds(Duration::from_secs_f64(minutes * 60.0)) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
