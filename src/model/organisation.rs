//! Who we are: for people, and for what a partner is told. No answer depends on it.

use ipnet::IpNet;

use super::pattern::Pattern;

/// Who we are. Everything in it is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Organisation {
    /// Our name.
    pub name: Option<String>,
    /// Whom a partner asks.
    pub contact: Option<String>,
    /// Our domains; never `*`.
    pub domains: Vec<Pattern>,
    /// The names that our certificates show; never `*`.
    pub certificate_names: Vec<Pattern>,
    /// The addresses that our mail comes from.
    pub addresses: Vec<IpNet>,
}
