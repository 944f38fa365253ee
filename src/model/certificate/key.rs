//! The kind and size of a certificate's key, and whether its signature rests on a broken digest.
//!
//! Facts for people and for `validate`: no answer depends on them, because what a key must be is
//! decided by the MTA's OpenSSL security level. So an unknown algorithm is no error here.

use std::fmt;

use x509_parser::asn1_rs::Oid;
use x509_parser::der_parser::oid;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_HASH_SHA1, OID_KEY_TYPE_DSA, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384,
    OID_NIST_EC_P521, OID_PKCS1_MD5WITHRSAENC, OID_PKCS1_RSAENCRYPTION, OID_PKCS1_RSASSAPSS,
    OID_PKCS1_SHA1WITHRSA, OID_SHA1_WITH_RSA, OID_SIG_DSA_WITH_SHA1, OID_SIG_ED448, OID_SIG_ED25519,
};
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

/// ecdsa-with-SHA1 (RFC 3279 section 2.2.3).
const OID_ECDSA_WITH_SHA1: Oid<'static> = oid!(1.2.840.10045.4.1);
/// md2WithRSAEncryption (RFC 8017 appendix C).
const OID_MD2_WITH_RSA: Oid<'static> = oid!(1.2.840.113549.1.1.2);

/// What kind of public key a certificate has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA.
    Rsa,
    /// RSA for PSS signatures alone.
    RsaPss,
    /// ECDSA on some curve.
    Ec,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// DSA.
    Dsa,
    /// One that is not known here.
    Other,
}

/// A certificate's public key. Displayed as `RSA 2048`, `EC 256`, `Ed25519`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its kind.
    pub algorithm: KeyAlgorithm,
    /// Its size in bits, of the modulus or the curve, where that is known.
    pub bits: Option<usize>,
}

/// A digest for which collisions are found, so that a signature over it proves little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeakDigest {
    /// MD2.
    Md2,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
}

impl Key {
    pub(super) fn of(info: &SubjectPublicKeyInfo<'_>) -> Key {
        let oid = &info.algorithm.algorithm;
        let key = |algorithm, bits| Key { algorithm, bits };
        if *oid == OID_PKCS1_RSAENCRYPTION {
            key(KeyAlgorithm::Rsa, modulus_bits(info))
        } else if *oid == OID_PKCS1_RSASSAPSS {
            key(KeyAlgorithm::RsaPss, None)
        } else if *oid == OID_KEY_TYPE_EC_PUBLIC_KEY {
            key(KeyAlgorithm::Ec, curve_bits(&info.algorithm))
        } else if *oid == OID_SIG_ED25519 {
            key(KeyAlgorithm::Ed25519, None)
        } else if *oid == OID_SIG_ED448 {
            key(KeyAlgorithm::Ed448, None)
        } else if *oid == OID_KEY_TYPE_DSA {
            key(KeyAlgorithm::Dsa, None)
        } else {
            key(KeyAlgorithm::Other, None)
        }
    }
}

fn modulus_bits(info: &SubjectPublicKeyInfo<'_>) -> Option<usize> {
    match info.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let start = rsa.modulus.iter().position(|&byte| byte != 0)?;
            let significant = rsa.modulus.get(start..)?;
            let unused = usize::try_from(significant.first()?.leading_zeros()).ok()?;
            Some(8 * significant.len() - unused)
        }
        _ => None,
    }
}

/// From the curve's name; a key with parameters of its own has no size that would mean anything.
fn curve_bits(algorithm: &AlgorithmIdentifier<'_>) -> Option<usize> {
    let curve = algorithm.parameters.as_ref()?.as_oid().ok()?;
    [(OID_EC_P256, 256), (OID_NIST_EC_P384, 384), (OID_NIST_EC_P521, 521)]
        .into_iter()
        .find_map(|(oid, bits)| (curve == oid).then_some(bits))
}

impl WeakDigest {
    /// The broken digest under a signature, if it is one. Meaningless for a self-signed
    /// certificate, whose signature nobody relies on.
    pub(super) fn under(signature: &AlgorithmIdentifier<'_>) -> Option<WeakDigest> {
        let oid = &signature.algorithm;
        let sha1 = [OID_PKCS1_SHA1WITHRSA, OID_SHA1_WITH_RSA, OID_ECDSA_WITH_SHA1, OID_SIG_DSA_WITH_SHA1];
        if sha1.contains(oid) {
            return Some(WeakDigest::Sha1);
        }
        if *oid == OID_PKCS1_RSASSAPSS {
            // RFC 4055 section 3.1: without a hash algorithm it is SHA-1.
            let parameters = signature.parameters.as_ref().map(RsaSsaPssParams::try_from);
            return match parameters {
                Some(Ok(parameters)) => {
                    (*parameters.hash_algorithm_oid() == OID_HASH_SHA1).then_some(WeakDigest::Sha1)
                }
                Some(Err(_)) | None => Some(WeakDigest::Sha1),
            };
        }
        if *oid == OID_PKCS1_MD5WITHRSAENC {
            return Some(WeakDigest::Md5);
        }
        (*oid == OID_MD2_WITH_RSA).then_some(WeakDigest::Md2)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.algorithm {
            KeyAlgorithm::Rsa => "RSA",
            KeyAlgorithm::RsaPss => "RSA-PSS",
            KeyAlgorithm::Ec => "EC",
            KeyAlgorithm::Ed25519 => "Ed25519",
            KeyAlgorithm::Ed448 => "Ed448",
            KeyAlgorithm::Dsa => "DSA",
            KeyAlgorithm::Other => "unknown key",
        })?;
        match self.bits {
            Some(bits) => write!(f, " {bits}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for WeakDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WeakDigest::Md2 => "MD2",
            WeakDigest::Md5 => "MD5",
            WeakDigest::Sha1 => "SHA-1",
        })
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::asn1_rs::{Any, FromDer as _, Tag};

    use super::*;

    #[test]
    fn broken_digests_under_a_signature() {
        let empty_parameters = || Any::from_tag_and_data(Tag::Sequence, &[]);
        let pss_sha256 = [
            0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
            0x00,
        ];
        let sha256_parameters = Any::from_tag_and_data(Tag::Sequence, &pss_sha256);
        let cases = [
            (oid!(1.2.840.113549.1.1.5), None, Some(WeakDigest::Sha1)),
            (oid!(1.3.14.3.2.29), None, Some(WeakDigest::Sha1)),
            (oid!(1.2.840.10045.4.1), None, Some(WeakDigest::Sha1)),
            (oid!(1.2.840.10040.4.3), None, Some(WeakDigest::Sha1)),
            (oid!(1.2.840.113549.1.1.4), None, Some(WeakDigest::Md5)),
            (oid!(1.2.840.113549.1.1.2), None, Some(WeakDigest::Md2)),
            (oid!(1.2.840.113549.1.1.10), None, Some(WeakDigest::Sha1)),
            (oid!(1.2.840.113549.1.1.10), Some(empty_parameters()), Some(WeakDigest::Sha1)),
            (oid!(1.2.840.113549.1.1.10), Some(sha256_parameters), None),
            (oid!(1.2.840.113549.1.1.11), None, None),
            (oid!(1.2.840.10045.4.3.2), None, None),
            (oid!(1.3.101.112), None, None),
        ];
        for (oid, parameters, expected) in cases {
            let signature = AlgorithmIdentifier::new(oid, parameters);
            assert_eq!(WeakDigest::under(&signature), expected, "{signature:?}");
        }
    }
    /// A DER value of less than 128 bytes.
    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        [vec![tag, u8::try_from(content.len()).unwrap_or_default()], content].concat()
    }

    /// What a key of this algorithm is called; `key` is the content of the BIT STRING.
    fn shown(oid: &Oid<'_>, key: &[u8]) -> String {
        let algorithm = der(0x30, &[&der(0x06, &[oid.as_bytes()])]);
        let info = der(0x30, &[&algorithm, &der(0x03, &[&[0], key])]);
        SubjectPublicKeyInfo::from_der(&info)
            .map_or_else(|error| error.to_string(), |(_, info)| Key::of(&info).to_string())
    }

    #[test]
    fn every_kind_of_key_has_its_name() {
        for (oid, name) in [
            (OID_PKCS1_RSASSAPSS, "RSA-PSS"),
            (OID_KEY_TYPE_EC_PUBLIC_KEY, "EC"),
            (OID_SIG_ED25519, "Ed25519"),
            (OID_SIG_ED448, "Ed448"),
            (OID_KEY_TYPE_DSA, "DSA"),
            (oid!(1.2.840.10046.2.1), "unknown key"),
        ] {
            assert_eq!(shown(&oid, b"x"), name);
        }
        for (digest, name) in
            [(WeakDigest::Md2, "MD2"), (WeakDigest::Md5, "MD5"), (WeakDigest::Sha1, "SHA-1")]
        {
            assert_eq!(digest.to_string(), name);
        }
    }

    #[test]
    fn the_size_of_an_rsa_key_is_that_of_its_modulus() {
        for (modulus, name) in [
            (&[0x00, 0x80, 0x00, 0x01][..], "RSA 24"),
            (&[0x7f, 0x00, 0x01], "RSA 23"),
            (&[0x01, 0x00, 0x00], "RSA 17"),
        ] {
            let key = der(0x30, &[&der(0x02, &[modulus]), &der(0x02, &[&[3]])]);
            assert_eq!(shown(&OID_PKCS1_RSAENCRYPTION, &key), name, "{modulus:x?}");
        }
        assert_eq!(shown(&OID_PKCS1_RSAENCRYPTION, b"no key"), "RSA");
    }
}
