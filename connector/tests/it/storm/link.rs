//! One connection of a client, kept open from request to request.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::wait::DEADLINE;

/// How long a slow client waits between two pieces. Nothing depends on it.
const DAWDLE: Duration = Duration::from_millis(5);

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    address: String,
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

// === impl Link ===

impl Link {
    pub(super) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), stream: connect(address) }
    }

    /// A connection on which the beginning of a request was sent.
    pub(super) fn stuck(address: &str) -> Self {
        let mut link = Self::new(address);
        link.write(b"PUT /connectors/stuck/config HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Le");
        link
    }

    /// A request with a body of JSON or without one, and its answer.
    pub(super) fn ask(&mut self, method: &str, path: &str, body: Option<&[u8]>) -> Answer {
        let request = self.request(method, path, "application/json", body);
        self.write(&request);
        self.answer()
    }

    /// A body that is said to be something else.
    pub(super) fn ask_as(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        let request = self.request(method, path, kind, Some(body));
        self.write(&request);
        self.answer()
    }

    /// The same as [`Link::ask`], piece by piece.
    pub(super) fn ask_slowly(&mut self, method: &str, path: &str, body: &[u8]) -> Answer {
        let request = self.request(method, path, "application/json", Some(body));
        for piece in request.chunks(request.len().div_ceil(4)) {
            self.write(piece);
            thread::sleep(DAWDLE);
        }
        self.answer()
    }

    /// A request whose body ends in its middle, with the connection.
    pub(super) fn cut(&mut self, method: &str, path: &str, body: &[u8]) {
        let request = self.request(method, path, "application/json", Some(body));
        self.write(&request[..request.len() - body.len() / 2]);
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
        self.read_to_end();
        self.renew();
    }

    /// What is no HTTP; the status that it is answered with.
    pub(super) fn garbage(&mut self, head: &[u8]) -> u16 {
        self.write(head);
        let answer = self.answer();
        self.read_to_end();
        self.renew();
        answer.status
    }

    fn renew(&mut self) {
        self.stream = connect(&self.address);
    }

    fn request(&self, method: &str, path: &str, kind: &str, body: Option<&[u8]>) -> Vec<u8> {
        let host = &self.address;
        let kind = body.map_or_else(String::new, |_| format!("Content-Type: {kind}\r\n"));
        let body = body.unwrap_or_default();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{kind}Content-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("a request can be sent");
    }

    /// Until the other side has closed the connection, whichever way.
    fn read_to_end(&mut self) {
        match io::copy(&mut self.stream, &mut io::sink()) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("no end of a connection: {error}"),
            _ => {}
        }
    }

    fn answer(&mut self) -> Answer {
        let line = self.line();
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{line:?} is no answer"));
        let mut length = 0;
        loop {
            let line = self.line().to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().unwrap(),
                Some(("transfer-encoding", _)) => panic!("an answer whose length is not told"),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("an answer comes whole");
        Answer { status, body }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer comes");
        line.trim_end().to_owned()
    }
}

// === impl Answer ===

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

fn connect(address: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).expect("the listener takes a client");
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    BufReader::new(stream)
}
