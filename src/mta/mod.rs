//! What we know of the MTAs themselves, beyond the questions they ask: how their tables are
//! written, what their settings mean for the connectors, and (the one thing that is not pure) how they are read.

pub mod account;
pub mod exim;
pub mod finding;
pub mod postfix;
pub mod program;
pub mod teller;
pub mod unit;
