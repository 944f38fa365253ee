//! Postfix.

pub mod doctor;
pub mod postconf;
pub mod settings;
pub mod tables;

#[cfg(test)]
mod oracle;
