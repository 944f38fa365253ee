//! A resolver for tests: says what a table says, over UDP and TCP on one port of the loopback.
//!
//! It claims authenticity (AD) only to those who ask for it as Postfix does, with DO and AD.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::Dns;

/// What is said to one question.
#[derive(Clone, Default)]
pub struct Reply {
    answers: Vec<(String, RData)>,
    code: Option<ResponseCode>,
    insecure: bool,
    silent: bool,
    /// Over UDP only the header, with TC set.
    truncated: bool,
}

impl Reply {
    /// An error code.
    pub fn code(code: ResponseCode) -> Reply {
        Reply { code: Some(code), ..Reply::default() }
    }

    /// No reply ever.
    pub fn silence() -> Reply {
        Reply { silent: true, ..Reply::default() }
    }

    /// One record more, of any owner.
    pub fn with(mut self, owner: &str, data: RData) -> Reply {
        self.answers.push((owner.to_owned(), data));
        self
    }

    /// The same without AD.
    pub fn insecure(mut self) -> Reply {
        self.insecure = true;
        self
    }

    /// The same, but over TCP only.
    pub fn truncated(mut self) -> Reply {
        self.truncated = true;
        self
    }
}

/// The questions that there is something to say to; any other name does not exist, and a name
/// with something has nothing of another kind.
#[derive(Clone, Default)]
pub struct Responder {
    replies: HashMap<(String, RecordType), Reply>,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
}

impl Responder {
    /// Says `reply` to the question.
    pub fn say(mut self, name: &str, kind: RecordType, reply: Reply) -> Responder {
        self.replies.insert((name.to_owned(), kind), reply);
        self
    }

    /// Says these records, signed.
    pub fn records(self, name: &str, kind: RecordType, data: &[&str]) -> Responder {
        let reply = data.iter().fold(Reply::default(), |reply, text| reply.with(name, rdata(kind, text)));
        self.say(name, kind, reply)
    }

    /// Every question so far, in order.
    pub fn asked(&self) -> Vec<(String, RecordType)> {
        self.asked.lock().unwrap().clone()
    }

    /// Serves until the runtime ends.
    pub async fn serve(&self) -> SocketAddr {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        tokio::spawn(self.clone().datagrams(udp));
        tokio::spawn(self.clone().connections(tcp));
        address
    }

    /// A `Dns` that asks it.
    pub async fn dns(&self) -> Dns {
        // Long enough for a busy machine; questions that nobody answers wait this long.
        Dns::at(&[self.serve().await], std::time::Duration::from_secs(2)).unwrap()
    }

    async fn datagrams(self, socket: UdpSocket) {
        let mut buffer = vec![0; 4096];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            if let Some(reply) = self.reply(&buffer[..length], true) {
                socket.send_to(&reply, peer).await.unwrap();
            }
        }
    }

    async fn connections(self, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(self.clone().connection(stream));
        }
    }

    async fn connection(self, mut stream: TcpStream) {
        while let Ok(length) = stream.read_u16().await {
            let mut question = vec![0; length.into()];
            stream.read_exact(&mut question).await.unwrap();
            if let Some(reply) = self.reply(&question, false) {
                stream.write_u16(reply.len().try_into().unwrap()).await.unwrap();
                stream.write_all(&reply).await.unwrap();
            }
        }
    }

    fn reply(&self, question: &[u8], udp: bool) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).unwrap();
        let query: &Query = question.queries.first().unwrap();
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let asked = (name.clone(), query.query_type());
        self.asked.lock().unwrap().push(asked.clone());

        let known = self.replies.keys().any(|(known, _)| *known == name);
        let otherwise = || if known { Reply::default() } else { Reply::code(ResponseCode::NXDomain) };
        let said = self.replies.get(&asked).cloned().unwrap_or_else(otherwise);
        if said.silent {
            return None;
        }
        let mut reply = Message::response(question.metadata.id, OpCode::Query);
        reply.add_query(query.clone());
        reply.metadata.recursion_available = true;
        reply.metadata.response_code = said.code.unwrap_or(ResponseCode::NoError);
        let wanted =
            question.metadata.authentic_data && question.edns.is_some_and(|edns| edns.flags().dnssec_ok);
        reply.metadata.authentic_data = wanted && !said.insecure;
        if udp && said.truncated {
            reply.metadata.truncation = true;
        } else {
            for (owner, data) in said.answers {
                let owner = Name::from_ascii(format!("{owner}.")).unwrap();
                reply.add_answer(Record::from_rdata(owner, 60, data));
            }
        }
        Some(reply.to_vec().unwrap())
    }
}

/// A record's data as in a zone file.
pub fn rdata(kind: RecordType, text: &str) -> RData {
    RData::try_from_str(kind, text).unwrap()
}
