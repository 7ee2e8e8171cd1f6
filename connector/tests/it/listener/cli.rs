//! The commands that ask a worker, where it speaks HTTPS and wants a user.

use std::fs;
use std::path::Path;

use super::{ANN, BOB, address, people, start};
use crate::commands::run;

const AUTHORITY: &str = include_str!("../../../src/sink/influx/tests/authority.pem");
const CERTIFICATE: &str = include_str!("../../../src/sink/influx/tests/localhost.pem");
const KEY: &str = include_str!("../../../src/sink/influx/tests/localhost.key.pem");

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_commands_speak_https_and_say_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| file(folder.path(), name, text);
    let users = people(folder.path());
    let mut sluice = start(&[
        ("listeners", "https://127.0.0.1:0"),
        ("listeners.https.certificate.location", &file("tls.crt", CERTIFICATE)),
        ("listeners.https.key.location", &file("tls.key", KEY)),
        ("rest.auth.users.file", users.to_str().unwrap()),
    ]);
    let address = address(&mut sluice, "api");
    let url = format!("https://localhost:{}", address.rsplit_once(':').unwrap().1);
    let (ca, ann, bob) = (file("ca.pem", AUTHORITY), file("ann", ANN.1), file("bob", &format!("{}\n", BOB.1)));
    let ask = |arguments: &[&str], who: &[&str]| run(&[arguments, &["--url", &url, "--ca-file", &ca], who].concat());
    let (ann, bob) = (["--user", ANN.0, "--password-file", &ann], ["--user", BOB.0, "--password-file", &bob]);

    let ended = ask(&["list", "-o", "json"], &bob);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "{}\n"), "{ended:?}");
    let module = file("module.wasm", "no module");
    for (arguments, who, words) in [
        (&["delete", "none", "--yes"][..], &ann[..], "Connector none not found"),
        (&["swap", "none", &module], &ann, "Connector none not found"),
        (&["delete", "none", "--yes"], &bob, "was answered by 403"),
        (&["list"], &["--user", BOB.0, "--password-file", &module], "does not take \"bob\" with this password"),
        (&["list"], &[], "give --user"),
        (&["rollback", "none"], &[], "give --user"),
    ] {
        let ended = ask(arguments, who);
        assert!(ended.code == Some(1) && ended.stderr.contains(words), "{words:?} is not in {ended:?}");
    }
    let distrusted = run(&["list", "--url", &url]);
    assert!(distrusted.code == Some(1) && distrusted.stderr.contains("--ca-file"), "{distrusted:?}");
    sluice.stop();
}
