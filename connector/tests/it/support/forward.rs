//! A port that leads to a server once it is opened: for servers that come later than their clients.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// A port on which nobody listens yet.
#[derive(Debug)]
pub(crate) struct ClosedPort {
    port: u16,
}

// === impl ClosedPort ===

impl ClosedPort {
    /// One that the system says is free.
    pub(crate) fn choose() -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        Self { port }
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on, and until the test process ends, connections lead to `target` (`host:port`).
    pub(crate) fn open(self, target: &str) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        let target = target.to_owned();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&target).unwrap();
                let (answers, requests) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || copy(&requests, &server));
                thread::spawn(move || copy(&answers, &client));
            }
        });
    }
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    // However it ends, the other side hears of it.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
