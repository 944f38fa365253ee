//! The real binary from outside: results, exit codes and the JSON that scripts rely on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]

mod bench;
mod certs;
mod check;
mod control;
mod daemon;
mod doctor;
mod doctor_exim;
mod explain;
mod export;
mod import;
mod import_exchange;
mod import_hostile;
mod kept;
mod list;
mod monitoring;
mod new;
mod new_script;
mod partner_kit;
mod prometheus;
#[path = "../server/prometheus_reader.rs"]
mod prometheus_reader;
mod prove;
mod serve;
mod terminal;
mod two_programs;
mod usage;
mod validate;
mod validated;
