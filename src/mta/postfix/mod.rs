//! Postfix.

pub mod tables;

#[cfg(test)]
mod oracle;
