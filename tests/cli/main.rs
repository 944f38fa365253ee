//! The real binary from outside: results, exit codes and the JSON that scripts rely on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]

mod bench;
mod certs;
mod check;
mod control;
mod daemon;
mod doctor;
mod explain;
mod export;
mod kept;
mod list;
mod prove;
mod serve;
mod two_programs;
mod usage;
mod validate;
mod validated;
