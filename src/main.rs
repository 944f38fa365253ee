//! The `connectord` command.

fn main() {}
