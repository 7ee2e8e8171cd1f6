//! Hot swap over REST: what can be asked, what is answered, and who is refused.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::stage::{answer, json, slow};
use super::{Stage, digest, variant};
use crate::support::http::{self, Answer};
use crate::support::sluice::Sluice;
use crate::support::wait::{DEADLINE, equal};

/// The error body of Connect, with this gate and all of `words` in its message.
#[track_caller]
fn refused(answer: &Answer, status: u16, gate: Option<&str>, words: &[&str]) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = json(answer);
    assert_eq!(body["error_code"], status, "{body}");
    assert_eq!(body["gate"].as_str(), gate, "{body}");
    let message = body["message"].as_str().unwrap();
    assert!(words.iter().all(|word| message.contains(word)), "{words:?} are not all in: {message}");
    body
}

fn outcome(sluice: &Sluice, outcome: &str) -> f64 {
    sluice.metrics().find("sluice_swaps_total", &[&format!(r#"outcome="{outcome}""#)]).unwrap_or(0.0)
}

#[test]
fn an_upload_takes_over_and_the_state_says_what_runs_and_ran() {
    let stage = Stage::with("rest-put", &[]);
    let mut sluice = stage.started();
    let (one, two) = (variant(1, "stamp"), variant(2, "stamp"));
    let state = stage.transform(&sluice);
    assert_eq!(state["connector"], stage.connector.name);
    assert_eq!(state["configured"], stage.file().to_str().unwrap());
    assert_eq!((&state["state"], &state["current"]["digest"]), (&"stable".into(), &digest(&one).into()));
    assert!(state["current"]["since_ms"].as_u64() > Some(1_700_000_000_000), "{state}");
    assert!(state["probation"].is_null() && state["previous"].is_null(), "{state}");

    let done = stage.upload(&sluice, &two, "");
    assert_eq!(done.status, 200, "{done:?}");
    let done = json(&done);
    assert_eq!((&done["outcome"], &done["digest"]), (&"switched".into(), &digest(&two).into()));
    assert_eq!((&done["previous"], &done["tasks_changed"]), (&digest(&one).into(), &1.into()));
    assert_eq!((&done["tasks_pending"], &done["probation_ms"]), (&0.into(), &3_600_000.into()));
    assert_eq!(done["report"]["records"], 100, "{done}");

    let state = stage.transform(&sluice);
    assert_eq!((&state["state"], &state["current"]["digest"]), (&"on_probation".into(), &digest(&two).into()));
    assert_eq!((&state["previous"], &state["probation"]["stable"]), (&digest(&one).into(), &digest(&one).into()));
    assert!(state["probation"]["elapsed_ms"].is_null(), "it has had no record: {state}");
    stage.produce(50);
    stage.finish(&mut sluice);
    let state = stage.transform(&sluice);
    assert!(state["probation"]["elapsed_ms"].is_u64(), "{state}");
    assert_eq!((&state["probation"]["records"], &state["probation"]["errors"]), (&50.into(), &0.into()), "{state}");
    let entry = &state["history"][1];
    assert_eq!((&entry["outcome"], &entry["source"]), (&"on_probation".into(), &"upload".into()), "{state}");
    assert_eq!(entry["report"]["records"], 100);

    let again = stage.upload(&sluice, &two, "");
    assert_eq!((again.status, &json(&again)["outcome"]), (200, &"unchanged".into()), "{again:?}");
    assert_eq!(stage.transform(&sluice)["history"], state["history"], "nothing has happened");
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 2]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let stage = Stage::with("rest-dry", &[]);
    let mut sluice = stage.started();
    let before = stage.transform(&sluice);
    let answer = stage.upload(&sluice, &variant(2, "filter-tenth"), "?dry-run=true");
    let done = json(&answer);
    assert_eq!((answer.status, &done["outcome"]), (200, &"dry_run".into()), "{done}");
    assert_eq!((&done["report"]["records"], &done["tasks_changed"]), (&100.into(), &0.into()), "{done}");
    let answer = stage.upload(&sluice, &variant(3, "reject-tenth"), "?dry-run=true");
    let body = refused(&answer, 422, Some("shadow"), &["transform.shadow.require"]);
    assert_eq!(body["report"]["records"], 100, "{body}");
    refused(&stage.upload(&sluice, &variant(3, "configure-error"), "?dry-run"), 422, Some("configure"), &["refused"]);
    refused(&stage.upload(&sluice, &variant(2, "stamp"), "?dry-run=perhaps"), 400, None, &["dry-run"]);
    assert_eq!(stage.transform(&sluice), before);
    assert_eq!(stage.warnings(&sluice), [""; 0]);
    assert_eq!((outcome(&sluice, "refused"), outcome(&sluice, "promoted")), (0.0, 0.0));
    assert!(!stage.shelf().join(format!("{}.wasm", digest(&variant(2, "filter-tenth")))).exists());
    stage.produce(10);
    stage.finish(&mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1]);
}

#[test]
fn what_was_asked_wrongly_is_told() {
    let stage = Stage::with("rest-wrong", &[]);
    let sluice = stage.started();
    let two = variant(2, "stamp");
    for (method, rest) in [("GET", ""), ("PUT", ""), ("POST", "/rollback")] {
        let url = sluice.url(&format!("/sluice/connectors/n%C3%B6%2Fpe/transform{rest}"));
        let answer = http::send(method, &url, &[("content-type", "application/wasm")], &two).unwrap();
        refused(&answer, 404, None, &["Connector nö/pe not found"]);
    }
    refused(&http::send("DELETE", &stage.url(&sluice, ""), &[], b"").unwrap(), 405, None, &["405"]);
    refused(&stage.put(&sluice, "text/plain", &[], &two), 415, None, &["application/wasm", "application/json"]);
    refused(&http::send("PUT", &stage.url(&sluice, ""), &[], &two).unwrap(), 415, None, &["application/wasm"]);
    for body in ["", "{", r#"{"module": "sha256:12"}"#, r#"{"module": "builtin:split-concat"}"#] {
        refused(&stage.put(&sluice, "application/json", &[], body.as_bytes()), 400, None, &["sha256:"]);
    }
    refused(&stage.put_known(&sluice, &two), 404, Some("unknown"), &[&digest(&two), "history"]);
    refused(&stage.roll_back(&sluice), 404, Some("unknown"), &["no version before"]);
    assert_eq!(stage.transform(&sluice)["history"].as_array().unwrap().len(), 1, "none of them was a candidate");
}

#[test]
fn a_connector_is_found_whatever_its_name() {
    let mut stage = Stage::with("rest-name", &[]);
    let name = format!("{} ü+%/ä?#", stage.connector.name);
    stage.connector.name.clone_from(&name);
    stage.connector = stage.connector.clone().set("name", name);
    // Not its file, whose name is a path.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.properties");
    std::fs::write(&file, stage.connector.properties()).unwrap();
    let sluice = Sluice::start_with(
        &[],
        &[
            "--bootstrap-servers",
            crate::support::services::kafka(),
            "--state-dir",
            stage.state().to_str().unwrap(),
            file.to_str().unwrap(),
        ],
    );
    assert_eq!(stage.transform(&sluice)["connector"], stage.connector.name);
    assert_eq!(json(&stage.upload(&sluice, &variant(2, "stamp"), ""))["outcome"], "switched");
}

#[test]
fn every_gate_refuses_with_its_name_and_what_to_do_and_what_runs_goes_on() {
    let stage = Stage::with("rest-gates", &[("transform.timeout.ms", "300")]);
    let mut sluice = stage.started();
    let world = crate::gates::wasm::component(&[]);
    let traps = variant(8, "panic");
    let cases: [(&[u8], &str, &[&str]); 8] = [
        (b"", "load", &["is not WebAssembly", "empty"]),
        (b"#!/bin/sh\necho no module\n", "load", &["is not WebAssembly", "#!/bin/sh"]),
        (&variant(9, "stamp")[..5000], "load", &["sha256:"]),
        (&world, "load", &["is not a transform", "no export `configure`"]),
        (&variant(4, "configure-error"), "configure", &["refused its settings", "transform.config"]),
        (&variant(5, "configure-loop"), "configure", &["transform.timeout.ms=300"]),
        (&traps, "warm_up", &["unreachable"]),
        (&variant(7, "reject-tenth"), "shadow", &["transform.shadow.require"]),
    ];
    for (nth, (module, gate, words)) in cases.iter().enumerate() {
        let body = refused(&stage.upload(&sluice, module, ""), 422, Some(gate), words);
        assert_eq!(body["report"].is_object(), ["warm_up", "shadow"].contains(gate), "{body}");
        let entry = stage.last_entry(&sluice, module, "refused").unwrap();
        assert_eq!(entry["reason"], body["message"]);
        assert_eq!(outcome(&sluice, "refused"), (nth + 1) as f64);
        stage.warned(&sluice, &[&digest(module), gate]).unwrap();
        stage.runs(&sluice, &variant(1, "stamp")).unwrap();
    }
    // What was refused may come again: perhaps the last records were to blame.
    refused(&stage.put_known(&sluice, &traps), 422, Some("warm_up"), &["unreachable"]);
    stage.produce(10);
    stage.finish(&mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1]);
}

#[test]
fn a_kept_version_comes_back_by_its_digest_also_without_uploads() {
    let stage = Stage::with("rest-kept", &[("transform.probation.ms", "0")]);
    let (one, two, three) = (variant(1, "stamp"), variant(2, "stamp"), variant(3, "stamp"));
    let mut sluice = stage.started();
    assert_eq!(stage.upload(&sluice, &two, "").status, 200);
    stage.produce(10);
    stage.finish(&mut sluice);
    sluice.stop();

    let stage = stage.set("transform.upload.enable", "false");
    let mut sluice = stage.start();
    stage.runs(&sluice, &two).unwrap();
    refused(&stage.upload(&sluice, &three, ""), 403, Some("upload"), &["transform.upload.enable=true"]);
    refused(&stage.upload(&sluice, &three, "?dry-run"), 403, Some("upload"), &["transform.upload.enable=true"]);
    // The answer comes although the bytes are more than fit in the connection.
    refused(&stage.upload(&sluice, &vec![0; 20_000_000], ""), 403, Some("upload"), &[]);
    assert_eq!(json(&stage.put_known(&sluice, &one))["outcome"], "switched");
    stage.runs(&sluice, &one).unwrap();
    stage.produce(10);
    stage.finish(&mut sluice);
    assert_eq!(json(&stage.roll_back(&sluice))["digest"], digest(&two));
    stage.produce(10);
    stage.finish(&mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 2, 1, 2]);
}

#[test]
fn a_module_that_is_too_large_is_refused_and_not_kept_in_memory() {
    let stage = Stage::with("rest-large", &[]);
    let sluice = stage.started();
    let limit = 32 * 1024 * 1024;
    let words = ["33554432 bytes"];
    refused(&stage.upload(&sluice, &vec![0; limit + 1], ""), 413, None, &words);
    // As large as may be: the next gate's.
    refused(&stage.upload(&sluice, &vec![0; limit], ""), 422, Some("load"), &["is not WebAssembly"]);
    refused(&stage.put(&sluice, "application/json", &[], &vec![b' '; 5000]), 413, None, &["4096 bytes"]);

    // Without saying before how much it is, and without an end.
    let url = stage.url(&sluice, "");
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "PUT /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/wasm\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    .unwrap();
    let chunk = [b"100000\r\n".as_slice(), &vec![0; 0x10_0000], b"\r\n"].concat();
    let sent = (0..1000).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!((32..1000).contains(&sent), "{sent} MiB were taken");
    let mut answer = Vec::new();
    // What came before the connection was reset, if it came to that.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.contains("33554432 bytes"), "{answer}");
    stage.runs(&sluice, &variant(1, "stamp")).unwrap();
}

#[test]
fn a_busy_controller_answers_others_and_takes_no_more_than_it_can() {
    let stage = Stage::with("rest-busy", &[("transform.timeout.ms", "300000")]);
    let mut sluice = stage.started();
    let looping = variant(2, "configure-loop");
    let first = stage.send(&sluice, &looping);
    sluice.until("the candidate to loop", |_| stage.is_at(&looping, "configure"));
    let (told, answers) = std::sync::mpsc::sync_channel(13);
    let mut readers = Vec::new();
    for stream in std::iter::once(first).chain((0..12).map(|_| stage.send(&sluice, b"no module"))) {
        let told = told.clone();
        readers.push(std::thread::spawn(move || told.send(answer(stream)).unwrap()));
    }
    // Eight may wait for the one that loops, the others are refused while it does.
    for _ in 0..4 {
        let answer = answers.recv_timeout(DEADLINE).unwrap();
        assert!(answer.contains("503") && answer.contains("try again in a while"), "{answer}");
    }
    assert_eq!(stage.transform(&sluice)["current"]["digest"], digest(&variant(1, "stamp")));
    stage.produce(10);
    stage.finish(&mut sluice);
    stage.is_at(&looping, "configure").expect("it loops all the time");
    sluice.stop();
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    let rest: Vec<_> = answers.try_iter().collect();
    assert_eq!(rest.len(), 9);
    assert!(rest.iter().all(|answer| answer.contains("503") && answer.contains("is stopping")), "{rest:?}");
    assert_eq!(stage.one_version_each()[&0], [1]);
}

#[test]
fn the_state_is_told_while_a_candidate_is_compiled() {
    let stage = Stage::with("rest-compile", &[("transform.compile.timeout.ms", "600000")]);
    let mut sluice = stage.started();
    let slow = slow();
    let waiting = stage.send(&sluice, &slow);
    sluice.until("the compilation to begin", |_| stage.is_at(&slow, "load"));
    assert_eq!(stage.transform(&sluice)["current"]["digest"], digest(&variant(1, "stamp")));
    stage.produce(10);
    stage.finish(&mut sluice);
    sluice.stop();
    assert!(answer(waiting).contains("the connector is stopping"));
}

#[test]
fn two_candidates_at_the_same_time_take_over_one_after_the_other() {
    let stage = Stage::with("rest-two", &[]);
    let mut sluice = stage.started();
    let modules = [variant(2, "stamp"), variant(3, "stamp")];
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let ask = |module: &Vec<u8>| {
            let module = module.clone();
            let (stage, sluice) = (&stage, &sluice);
            scope.spawn(move || json(&stage.upload(sluice, &module, "")))
        };
        modules.each_ref().map(ask).into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer["outcome"] == "switched"), "{answers:?}");
    let first = digest(&variant(1, "stamp"));
    let (earlier, later) = if answers[0]["previous"] == first { (0, 1) } else { (1, 0) };
    assert_eq!(answers[earlier]["previous"], first);
    assert_eq!(answers[later]["previous"], answers[earlier]["digest"]);
    stage.runs(&sluice, &modules[later]).unwrap();
    stage.produce(10);
    stage.finish(&mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0].last(), Some(&(later as u32 + 2)));
}

#[test]
fn only_digests_on_the_list_may_run() {
    let (one, two, three) = (variant(1, "stamp"), variant(2, "stamp"), variant(3, "stamp"));
    let list = format!("{},sha256:{}", digest(&one), digest(&two).to_uppercase());
    let stage = Stage::with("rest-list", &[("transform.require.digest", &list)]);
    let sluice = stage.started();
    let words = ["transform.require.digest", &digest(&three)];
    refused(&stage.upload(&sluice, &three, ""), 422, Some("policy"), &words);
    refused(&stage.put_known(&sluice, &three), 422, Some("policy"), &words);
    stage.replace(&three);
    let mut sluice = sluice;
    sluice.until("the file to be refused", |sluice| equal(outcome(sluice, "refused"), &3.0));
    assert_eq!(stage.upload(&sluice, &two, "").status, 200);
}

/// A key, and the worker's setting that trusts it.
pub(super) fn key() -> (Ed25519KeyPair, String) {
    let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
    let public = BASE64_STANDARD.encode(pair.public_key().as_ref());
    (pair, format!("transform.signature.keys={public}"))
}

pub(super) fn signature(key: &Ed25519KeyPair, module: &[u8]) -> String {
    BASE64_STANDARD.encode(raw_signature(key, module))
}

pub(super) fn raw_signature(key: &Ed25519KeyPair, module: &[u8]) -> Vec<u8> {
    key.sign(&Sha256::digest(module)).as_ref().to_vec()
}

#[test]
fn only_signed_modules_may_run() {
    let ((key, trusted), (other, _)) = (key(), key());
    let (one, two, three) = (variant(1, "stamp"), variant(2, "stamp"), variant(3, "stamp"));
    let stage = Stage::with("rest-signed", &[("transform.require.signature", "true")]);
    let sidecar = stage.file().with_extension("wasm.sig");
    std::fs::write(&sidecar, signature(&key, &one)).unwrap();
    let mut sluice = stage.start_with(&["--set", &trusted]);
    sluice.until("the connector to be ready", Sluice::ready);

    refused(&stage.upload(&sluice, &two, ""), 422, Some("policy"), &["no signature", "transform.require.signature"]);
    let put = |signature: &str| stage.put(&sluice, "application/wasm", &[("sluice-signature", signature)], &two);
    refused(&put("nonsense"), 422, Some("policy"), &["ed25519"]);
    refused(&put(&signature(&other, &two)), 422, Some("policy"), &["by none of the 1 keys"]);
    refused(&put(&signature(&key, &one)), 422, Some("policy"), &["or of another module"]);
    // It is kept, but only because it was tried.
    refused(&stage.put_known(&sluice, &two), 422, Some("policy"), &["no signature"]);
    let answer = put(&signature(&key, &two));
    assert_eq!(json(&answer)["outcome"], "switched", "{answer:?}");
    // What has run was signed.
    assert_eq!(json(&stage.roll_back(&sluice))["digest"], digest(&one));
    assert_eq!(json(&stage.put_known(&sluice, &two))["outcome"], "switched");

    // By file: first without, then with its signature.
    std::fs::remove_file(&sidecar).unwrap();
    stage.replace(&three);
    sluice.until("the file to be refused", |sluice| stage.last_entry(sluice, &three, "refused"));
    std::fs::write(&sidecar, signature(&key, &three)).unwrap();
    sluice.until("the signed file to run", |sluice| stage.runs(sluice, &three));
}

#[test]
fn a_version_that_ran_without_a_signature_needs_one_once_they_are_required() {
    let (key, trusted) = key();
    let (one, two) = (variant(1, "stamp"), variant(2, "stamp"));
    let stage = Stage::with("rest-later-signed", &[("transform.probation.ms", "0")]);
    let sluice = stage.started();
    assert_eq!(json(&stage.upload(&sluice, &two, ""))["outcome"], "switched");
    sluice.stop();

    std::fs::write(stage.file().with_extension("wasm.sig"), signature(&key, &one)).unwrap();
    let stage = stage.set("transform.require.signature", "true");
    let sluice = stage.start_with(&["--set", &trusted]);
    stage.runs(&sluice, &one).unwrap();
    stage.warned(&sluice, &[&digest(&two), "can't run any more (policy)", "no signature"]).unwrap();
    refused(&stage.put_known(&sluice, &two), 422, Some("policy"), &["no signature"]);
    let body = format!(r#"{{"module": "sha256:{}"}}"#, digest(&two));
    let headers = [("sluice-signature", &*signature(&key, &two))];
    assert_eq!(json(&stage.put(&sluice, "application/json", &headers, body.as_bytes()))["outcome"], "switched");
    // Its signature is kept with it: the next start needs no other.
    sluice.stop();
    let sluice = stage.start_with(&["--set", &trusted]);
    stage.runs(&sluice, &two).unwrap();
    assert_eq!(stage.warnings(&sluice), [""; 0]);
    sluice.stop();
    // By another key: neither may run, and the start says which.
    let (_, other) = self::key();
    let mut sluice = stage.start_with(&["--set", &other]);
    assert_eq!(sluice.wait(), Some(2));
    let log = sluice.log();
    assert!(log.contains(&digest(&one)) && log.contains("by none of the 1 keys"), "{log}");
}
