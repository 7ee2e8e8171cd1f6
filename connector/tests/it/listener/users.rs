//! Users: roles, guessing, and a file that changes while the worker runs.

use std::io::{Read, Write};

use tokio::net::TcpSocket;

use super::{ANN, BOB, basic, passwd, people, send, start};
use crate::support::sluice::Sluice;
use crate::support::wait::{DEADLINE, equal};

/// What changes something, and gets so far that it is not there.
const CHANGE: (&str, &str) = ("DELETE", "/connectors/none");

fn status(sluice: &Sluice, (method, path): (&str, &str), user: (&str, &str)) -> u16 {
    send(sluice, method, path, user).status
}

#[test]
fn readers_look_and_admins_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = people(folder.path());
    let sluice = start(&[("rest.auth.users.file", file.to_str().unwrap())]);
    let (look, metrics) = (("GET", "/connectors"), ("GET", "/metrics"));
    assert_eq!([look, metrics, CHANGE].map(|call| status(&sluice, call, ANN)), [200, 200, 404]);
    assert_eq!([look, metrics, CHANGE].map(|call| status(&sluice, call, BOB)), [200, 200, 403]);
    assert_eq!([look, metrics, CHANGE].map(|call| status(&sluice, call, ("bob", ANN.1))), [401, 401, 401]);
    assert_eq!(["/connectors", "/metrics"].map(|path| sluice.get(path).status), [401, 401]);
    assert_eq!(["/health", "/health/live", "/health/ready"].map(|path| sluice.get(path).status), [200, 200, 200]);
    assert!(!sluice.log().contains(ANN.1) && !sluice.log().contains("argon2"));
    sluice.stop();
}

#[test]
fn the_file_is_read_again_and_a_broken_one_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = people(folder.path());
    let mut sluice = start(&[("rest.auth.users.file", file.to_str().unwrap())]);
    assert_eq!(status(&sluice, CHANGE, ANN), 404);
    passwd(&file, &["ann"], "another word");
    let new = ("ann", "another word");
    sluice.until("the new password", |sluice| equal(status(sluice, CHANGE, new), &404));
    assert_eq!(status(&sluice, CHANGE, ANN), 401, "the old one, which had been remembered");
    passwd(&file, &["bob", "--remove"], "");
    sluice.until("bob to be gone", |sluice| equal(status(sluice, ("GET", "/connectors"), BOB), &401));
    std::fs::write(&file, "ann admin nonsense\n").unwrap();
    sluice.until("the alarm", |sluice| sluice.logged(&["what was read before stays in use", "line 1"]));
    assert_eq!(status(&sluice, CHANGE, new), 404);
    sluice.stop();
}

#[test]
fn who_guesses_waits_and_nobody_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = people(folder.path());
    let sluice = start(&[("rest.auth.users.file", file.to_str().unwrap())]);
    let guesses: Vec<_> = (0..12).map(|number| status(&sluice, CHANGE, ("ann", &format!("guess {number}")))).collect();
    assert_eq!(guesses[..6], [401; 6]);
    assert!(guesses.contains(&429), "{guesses:?}");
    assert_eq!(status(&sluice, ("GET", "/connectors"), BOB), 200, "another name");
    assert_eq!(from_elsewhere(&sluice, ANN), 404, "another address");
    // Ann's own is let in now from everywhere, because she has just been let in from there.
    assert_eq!(status(&sluice, CHANGE, ANN), 404);
    sluice.stop();
}

/// A change as this user, from another address of this machine.
fn from_elsewhere(sluice: &Sluice, (name, password): (&str, &str)) -> u16 {
    let address = sluice.url("").strip_prefix("http://").unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        socket.connect(address).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let ((method, path), login) = (CHANGE, basic(name, password));
    write!(stream, "{method} {path} HTTP/1.0\r\nhost: {address}\r\nauthorization: {login}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
