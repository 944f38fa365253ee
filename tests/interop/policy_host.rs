//! The web server with the partners' MTA-STS policies.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;

use nix::sys::socket::{Shutdown, shutdown};
use openssl::ssl::{Ssl, SslContext};

use crate::behaviours::server;
use crate::condition::DEADLINE;
use crate::forge::{Form, Made};
use crate::network::Namespace;

/// Listening until dropped.
pub struct PolicyHost(TcpListener);

impl PolicyHost {
    /// Serves each host's policy, with a certificate for all of them.
    pub fn start(
        network: &Namespace,
        address: SocketAddr,
        issuer: &Made,
        policies: Vec<(String, String)>,
    ) -> PolicyHost {
        let names: Vec<&str> = policies.iter().map(|(host, _)| host.as_str()).collect();
        let context = server(&Form::server(&names).issued_by(issuer), &[], None);
        let listener = network.enter(|| TcpListener::bind(address)).unwrap();
        let held = listener.try_clone().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Fails when the listener was shut down.
                let Ok(stream) = stream else { return };
                let _ = answer(stream, &context, &policies);
            }
        });
        PolicyHost(held)
    }
}

impl Drop for PolicyHost {
    fn drop(&mut self) {
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Both);
    }
}

/// One request, one reply.
fn answer(stream: TcpStream, context: &SslContext, policies: &[(String, String)]) -> io::Result<()> {
    stream.set_read_timeout(Some(DEADLINE))?;
    let stream = Ssl::new(context)?.accept(stream).map_err(io::Error::other)?;
    let mut stream = BufReader::new(stream);
    let (mut host, mut path) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("host")
        {
            host = value.to_owned();
        }
    }
    let found = policies.iter().find(|(name, _)| *name == host && path == "/.well-known/mta-sts.txt");
    let (status, body) = found.map_or(("404 Not Found", ""), |(_, policy)| ("200 OK", policy));
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let stream = stream.get_mut();
    stream.write_all(reply.as_bytes())?;
    let _ = stream.shutdown();
    Ok(())
}
