//! Postfix.

pub mod doctor;
pub mod order;
pub mod patterns;
pub mod postconf;
pub mod postmap;
pub mod reach;
pub mod restrictions;
pub mod settings;
pub mod tables;

#[cfg(test)]
mod oracle;
