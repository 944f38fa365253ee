//! What a file of the configuration is for.

/// Bytes of a TOML file; a larger one is refused.
const MAX_TOML: u64 = 16 << 20;

/// Bytes of a list of domains; a larger one is refused.
const MAX_LIST: u64 = 64 << 20;

/// Bytes of a PEM file; a larger one is refused. The bundle of all public authorities has a
/// quarter of a MiB.
const MAX_PEM: u64 = 16 << 20;

/// What a file is for: part of the digest, so that the same bytes in another role count as
/// another configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Role {
    /// The main file.
    Main,
    /// A file that it includes.
    Included,
    /// A list of domains.
    List,
    /// Certificates, registered, pinned or of authorities.
    Pem,
}

impl Role {
    /// Every one.
    pub const ALL: [Role; 4] = [Role::Main, Role::Included, Role::List, Role::Pem];

    /// The word in the digest and in an archive.
    pub fn word(self) -> &'static str {
        match self {
            Role::Main => "main",
            Role::Included => "include",
            Role::List => "list",
            Role::Pem => "pem",
        }
    }

    /// Bytes of a file; a larger one is refused.
    pub fn limit(self) -> u64 {
        match self {
            Role::Main | Role::Included => MAX_TOML,
            Role::List => MAX_LIST,
            Role::Pem => MAX_PEM,
        }
    }
}
