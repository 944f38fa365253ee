//! Exim.

pub mod ask;
pub mod doctor;
pub mod host;
pub mod lists;
pub mod question;
pub mod settings;
pub mod written;
