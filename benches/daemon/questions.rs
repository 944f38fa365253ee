//! What is asked, and what has to be answered.

use std::collections::HashMap;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Zipf};

use super::baseline::Kind;
use super::partners::{Book, domain, sender_domain};

/// So many different ones in a row before they begin again.
const ROW: usize = 1 << 19;

/// How often each domain is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// As real mail has it: few domains most of the time (Zipf with exponent 1), and one in five
    /// that nobody has a connector for.
    Zipf,
    /// All alike, and all listed.
    Uniform,
}

/// A row of requests and the reply that each must get.
pub struct Questions {
    requests: Vec<u8>,
    ends: Vec<usize>,
    expected: Vec<u32>,
    replies: Vec<Vec<u8>>,
    /// What is right as well, for each reply.
    others: Vec<Option<Vec<u8>>>,
    /// Each on a connection of its own.
    pub single: bool,
}

impl Questions {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn request(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.requests[start..self.ends[number]]
    }

    pub fn reply(&self, number: usize) -> &[u8] {
        &self.replies[self.expected[number] as usize]
    }

    /// Whether this answers a question: its reply, or the other one that is as right.
    pub fn is_answered(&self, number: usize, got: &[u8]) -> bool {
        got == self.reply(number) || self.others[self.expected[number] as usize].as_deref() == Some(got)
    }

    /// The same questions where `other` says of some replies what another generation says instead.
    pub fn or(mut self, other: impl Fn(&str) -> Option<String>) -> Questions {
        self.others = self
            .replies
            .iter()
            .map(|reply| other(std::str::from_utf8(reply).unwrap()).map(String::into_bytes))
            .collect();
        for (reply, other) in self.replies.iter().zip(&self.others) {
            // Clients know by its length when a reply is whole.
            assert!(other.as_ref().is_none_or(|other| other.len() == reply.len()));
        }
        self
    }

    /// For a message.
    pub fn shown(&self, number: usize) -> String {
        String::from_utf8_lossy(self.request(number)).into_owned()
    }

    /// The same requests, for a server that always says the same.
    pub fn for_baseline(&self, kind: Kind) -> Questions {
        Questions {
            requests: self.requests.clone(),
            ends: self.ends.clone(),
            expected: vec![0; self.ends.len()],
            replies: vec![kind.reply().to_vec()],
            others: vec![None],
            single: self.single,
        }
    }

    /// These, in turn.
    pub fn given(pairs: &[(&[u8], &[u8])], single: bool) -> Questions {
        let mut questions = Questions::none(single);
        for (request, reply) in pairs {
            questions.add(request, reply.to_vec(), questions.replies.len() as u32);
        }
        questions
    }

    fn none(single: bool) -> Questions {
        Questions {
            requests: Vec::new(),
            ends: Vec::new(),
            expected: Vec::new(),
            replies: Vec::new(),
            others: Vec::new(),
            single,
        }
    }

    /// Adds one, whose reply is there already or the next.
    fn add(&mut self, request: &[u8], reply: Vec<u8>, number: u32) {
        self.requests.extend_from_slice(request);
        self.ends.push(self.requests.len());
        if number as usize == self.replies.len() {
            self.replies.push(reply);
            self.others.push(None);
        }
        self.expected.push(number);
    }

    /// Made of `one`, for each draw of a partner's number; none: a domain that nobody lists.
    fn draw(
        partners: usize,
        keys: Keys,
        single: bool,
        mut one: impl FnMut(Option<usize>, &mut SmallRng) -> (Vec<u8>, Vec<u8>),
    ) -> Questions {
        let mut random = SmallRng::seed_from_u64(1);
        let zipf = Zipf::new(partners as f64, 1.0).unwrap();
        let mut questions = Questions::none(single);
        let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
        for _ in 0..ROW {
            let partner = match keys {
                Keys::Zipf if random.random_bool(0.2) => None,
                // Ranks go from 1; which partner has which rank means nothing.
                Keys::Zipf => Some((zipf.sample(&mut random) as usize - 1) * 7_919 % partners),
                Keys::Uniform => Some(random.random_range(0..partners)),
            };
            let (request, reply) = one(partner, &mut random);
            let fresh = known.len() as u32;
            let number = *known.entry(reply.clone()).or_insert(fresh);
            questions.add(&request, reply, number);
        }
        questions
    }

    /// Lookups in the map `tls`.
    pub fn socketmap(book: &Book, keys: Keys) -> Questions {
        Questions::draw(book.domains, keys, false, |partner, random| {
            let (key, reply) = match partner {
                Some(number) => (domain(number), format!("OK {}", book.policy(number))),
                None => (stranger(random), "NOTFOUND ".to_owned()),
            };
            (framed(&format!("tls {key}")), framed(&reply))
        })
    }

    /// Exim's question for a domain, on a connection of its own.
    pub fn exim(book: &Book, keys: Keys) -> Questions {
        Questions::draw(book.domains, keys, true, |partner, random| {
            let (key, reply) = match partner {
                Some(number) => (domain(number), "status=ok tls=cert end=ok\n".to_owned()),
                None => (stranger(random), "status=ok tls=default end=ok\n".to_owned()),
            };
            (format!("out domain={key} sender=ours.example\n").into_bytes(), reply.into_bytes())
        })
    }

    /// Mail from partners, as smtpd(8) asks about it at RCPT: most of it as agreed, some in
    /// plaintext, some from strangers.
    pub fn policy(book: &Book) -> Questions {
        Questions::draw(book.connectors, Keys::Zipf, false, |partner, random| {
            let plaintext = random.random_bool(0.1);
            let sender = partner.map_or_else(|| stranger(random), sender_domain);
            let (tls, cipher, subject, issuer) = match partner {
                Some(number) if !plaintext => {
                    ("TLSv1.3", "TLS_AES_256_GCM_SHA384", format!("mail.partner{number}.net"), "Partner+20CA")
                }
                _ => ("", "", String::new(), ""),
            };
            let size = if cipher.is_empty() { 0 } else { 256 };
            let request = format!(
                "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n\
                 client_address=198.51.100.7\nclient_name=mail.{sender}\nclient_port=41234\n\
                 reverse_client_name=mail.{sender}\nserver_address=192.0.2.1\nserver_port=25\n\
                 helo_name=mail.{sender}\nsender=someone@{sender}\nrecipient=somebody@ours.example\n\
                 recipient_count=0\nqueue_id=\ninstance=1a2b.6512f3c4.5d6e7.0\nsize=12345\netrn_domain=\n\
                 stress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject={subject}\n\
                 ccert_issuer={issuer}\nccert_fingerprint=\nccert_pubkey_fingerprint=\n\
                 encryption_protocol={tls}\nencryption_cipher={cipher}\nencryption_keysize={size}\n\
                 policy_context=\ncompatibility_level=3.6\nmail_version=3.7.11\n\n"
            );
            let reply = match partner {
                Some(number) if plaintext => {
                    format!("action=530 5.7.0 connector partner{number}-in: TLS is required\n\n")
                }
                _ => "action=DUNNO\n\n".to_owned(),
            };
            (request.into_bytes(), reply.into_bytes())
        })
    }
}

/// A netstring, written without the code that is measured.
pub fn framed(payload: &str) -> Vec<u8> {
    format!("{}:{payload},", payload.len()).into_bytes()
}

/// A domain that is in no list.
fn stranger(random: &mut SmallRng) -> String {
    format!("{}.unlisted.example", domain(random.random_range(0..10_000_000)))
}
