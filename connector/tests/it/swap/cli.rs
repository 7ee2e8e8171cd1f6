//! `sluice swap` and `sluice rollback`: what a person is told, and the exit code.

use std::path::Path;

use super::stage::json;
use super::{Stage, digest, variant};
use crate::commands::{Ended, run};
use crate::support::sluice::Sluice;

/// The command against this worker.
fn command(sluice: &Sluice, arguments: &[&str]) -> Ended {
    run(&[arguments, &["--url", sluice.url("").trim_end_matches('/')]].concat())
}

#[track_caller]
fn says(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    let text = if code == 0 { &ended.stdout } else { &ended.stderr };
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {ended:?}");
    }
}

fn file(stage: &Stage, name: &str, bytes: &[u8]) -> String {
    let path = stage.folder().join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_version_is_tried_swapped_and_rolled_back_by_hand() {
    let stage = Stage::with("cli-swap", &[]);
    let mut sluice = stage.started();
    let name = stage.connector.name.as_str();
    let (one, two) = (digest(&variant(1, "stamp")), digest(&variant(2, "filter-tenth")));
    let module = file(&stage, "two.wasm", &variant(2, "filter-tenth"));

    let tried = command(&sluice, &["swap", name, &module, "--dry-run"]);
    says(
        &tried,
        0,
        &["100 of 100 compared", &format!("sha256:{two} would take over from sha256:{one}; nothing was changed")],
    );
    let swapped = command(&sluice, &["swap", name, &module]);
    let last = [
        &format!("sha256:{two} has taken over from sha256:{one}\n1 task changed"),
        "on probation for 3600 s from its first record on",
    ];
    says(&swapped, 0, &["100 of 100 compared", last[0], last[1]]);
    says(&command(&sluice, &["swap", name, &module]), 0, &[&format!("sha256:{two} runs already")]);
    stage.produce(10);
    stage.finish(&mut sluice);
    let back = command(&sluice, &["rollback", name]);
    says(&back, 0, &[&format!("sha256:{one} has taken over from sha256:{two}")]);
    let kept = command(&sluice, &["swap", name, &format!("sha256:{two}")]);
    says(&kept, 0, &[&format!("sha256:{two} has taken over from sha256:{one}")]);
    for ended in [tried, swapped, back, kept] {
        assert_eq!(ended.stderr, "", "{ended:?}");
    }
    stage.runs(&sluice, &variant(2, "filter-tenth")).unwrap();
}

#[test]
fn a_refusal_says_why_on_standard_error_and_shows_the_report() {
    let stage = Stage::with("cli-refused", &[]);
    let sluice = stage.started();
    let name = stage.connector.name.as_str();
    let module = file(&stage, "bad.wasm", &variant(2, "reject-tenth"));
    for arguments in [&["swap", name, &module][..], &["swap", name, &module, "--dry-run"]] {
        let ended = command(&sluice, arguments);
        says(&ended, 1, &["sluice: refused by the gate `shadow`: ", "transform.shadow.require"]);
        assert!(ended.stdout.contains("100 of 100 compared"), "{ended:?}");
    }
    says(&command(&sluice, &["rollback", name]), 1, &["refused by the gate `unknown`", "no version before"]);
    let text = file(&stage, "text.wasm", b"hello");
    says(&command(&sluice, &["swap", name, &text]), 1, &["gate `load`", "is not WebAssembly", "hello"]);
    says(&command(&sluice, &["swap", "nobody", &text]), 1, &["Connector nobody not found"]);
    says(&command(&sluice, &["rollback", "nobody"]), 1, &["Connector nobody not found"]);
    says(&command(&sluice, &["swap", name, "sha256:12"]), 1, &["sha256"]);
    let gone = stage.folder().join("gone.wasm");
    says(
        &command(&sluice, &["swap", name, gone.to_str().unwrap()]),
        1,
        &["could not read", "gone.wasm", "No such file"],
    );
    let large = file(&stage, "large.wasm", &vec![0; 33 << 20]);
    says(&command(&sluice, &["swap", name, &large]), 1, &["large.wasm has 34603008 bytes", "33554432"]);
    assert_eq!(stage.transform(&sluice)["current"]["digest"], digest(&variant(1, "stamp")));
}

#[test]
fn without_a_worker_the_way_to_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("module.wasm");
    std::fs::write(&module, variant(1, "stamp")).unwrap();
    let module = module.to_str().unwrap();
    // Bound, and nobody listens: nobody else gets the port meanwhile.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", socket.local_addr().unwrap());
    drop(socket);
    for command in [&["swap", "c", module][..], &["rollback", "c"]] {
        let ended = run(&[command, &["--url", &address]].concat());
        says(&ended, 1, &[&address, "is it running?", "--url"]);
    }
    let ended = run(&["swap", "c", module, "--url", "nowhere"]);
    says(&ended, 1, &["nowhere", "--url"]);
    for (command, words) in [
        ("swap", &["--dry-run", "--url", "sha256:DIGEST", "FILE.sig", "transform.upload.enable=true"][..]),
        ("rollback", &["--url", "probation"]),
    ] {
        let help = run(&[command, "--help"]);
        says(&help, 0, words);
    }
}

#[test]
fn the_signature_beside_a_module_goes_with_it() {
    let ((key, trusted), two) = (super::rest::key(), variant(2, "stamp"));
    let stage = Stage::with("cli-signed", &[("transform.require.signature", "true")]);
    let beside = |path: &Path| format!("{}.sig", path.display());
    std::fs::write(beside(&stage.file()), super::rest::signature(&key, &variant(1, "stamp"))).unwrap();
    let mut sluice = stage.start_with(&["--set", &trusted]);
    sluice.until("the connector to be ready", Sluice::ready);
    let name = stage.connector.name.as_str();
    let module = file(&stage, "two.wasm", &two);
    says(&command(&sluice, &["swap", name, &module]), 1, &["gate `policy`", "no signature"]);
    // As openssl writes it: raw bytes.
    let raw = super::rest::raw_signature(&key, &two);
    std::fs::write(beside(Path::new(&module)), raw).unwrap();
    says(&command(&sluice, &["swap", name, &module]), 0, &["has taken over"]);
    assert_eq!(json(&stage.upload(&sluice, &two, ""))["outcome"], "unchanged");
}
