//! Trust anchors: whose word on a certificate chain is taken.
//!
//! Fewer anchors are stronger. What the MTA trusts by its own settings is not known here, so it
//! can be compared with no file: a private authority of a partner may be unknown to it.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::certificate::Fingerprint;

/// Whose word on a certificate chain is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchors {
    /// Chains are not judged at this level.
    Any,
    /// Those of the MTA's own settings (`smtp_tls_CAfile`, `smtp_tls_CApath`).
    System,
    /// Those of a file, and no others.
    File(Arc<CaFile>),
}

/// A file of trust anchors, as read.
#[derive(Clone, Debug)]
pub struct CaFile {
    /// Absolute path, as it was read.
    pub path: PathBuf,
    /// Its bytes: this is what is published for a chrooted smtp(8).
    pub pem: Vec<u8>,
    /// Lower-case hex of the SHA-256 of `pem`.
    pub sha256: String,
    /// The digests of the certificates in it.
    pub certificates: BTreeSet<Fingerprint>,
}

impl PartialEq for CaFile {
    fn eq(&self, other: &Self) -> bool {
        self.certificates == other.certificates
    }
}
impl Eq for CaFile {}

impl PartialOrd for Anchors {
    /// Greater trusts fewer. The MTA's own set is unknown here, so it is comparable with no file.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Anchors::Any, Anchors::Any) | (Anchors::System, Anchors::System) => Some(Ordering::Equal),
            (Anchors::Any, Anchors::System | Anchors::File(_)) => Some(Ordering::Less),
            (Anchors::System | Anchors::File(_), Anchors::Any) => Some(Ordering::Greater),
            (Anchors::File(a), Anchors::File(b)) => fewer(&a.certificates, &b.certificates),
            (Anchors::System, Anchors::File(_)) | (Anchors::File(_), Anchors::System) => None,
        }
    }
}

/// Greater is the smaller set.
pub(super) fn fewer(a: &BTreeSet<Fingerprint>, b: &BTreeSet<Fingerprint>) -> Option<Ordering> {
    match (a.is_subset(b), b.is_subset(a)) {
        (true, true) => Some(Ordering::Equal),
        (true, false) => Some(Ordering::Greater),
        (false, true) => Some(Ordering::Less),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, pem: &str, certificates: &[u8]) -> CaFile {
        CaFile {
            path: PathBuf::from(path),
            pem: pem.into(),
            sha256: pem.to_owned(),
            certificates: certificates.iter().map(|&n| Fingerprint::of(&[n])).collect(),
        }
    }

    #[test]
    fn a_file_is_the_certificates_in_it() {
        let one = file("/a.pem", "# a comment", &[1, 2]);
        assert_eq!(one, file("/b.pem", "", &[2, 1]));
        for other in [file("/a.pem", "# a comment", &[1]), file("/a.pem", "# a comment", &[])] {
            assert_ne!(one, other);
            assert_ne!(other, one);
        }
    }

    #[test]
    fn fewer_anchors_are_stronger() {
        use Ordering::{Equal, Greater};
        let of = |certificates: &[u8]| Anchors::File(Arc::new(file("/a.pem", "", certificates)));
        for (a, b, expected) in [
            (Anchors::Any, Anchors::Any, Some(Equal)),
            (Anchors::System, Anchors::System, Some(Equal)),
            (Anchors::System, Anchors::Any, Some(Greater)),
            (of(&[1]), Anchors::Any, Some(Greater)),
            (of(&[1]), Anchors::System, None),
            (of(&[1]), of(&[1]), Some(Equal)),
            (of(&[1]), of(&[1, 2]), Some(Greater)),
            (of(&[1, 2]), of(&[2, 3]), None),
        ] {
            assert_eq!(a.partial_cmp(&b), expected, "{a:?} {b:?}");
            assert_eq!(b.partial_cmp(&a), expected.map(Ordering::reverse), "{b:?} {a:?}");
        }
    }
}
