//! What we know of the MTAs themselves, beyond the questions they ask: how their tables are
//! written. Pure; reading their settings and logs comes with the commands that need it.

pub mod postfix;
