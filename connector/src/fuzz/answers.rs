//! Answers to a write: whatever a server, a proxy or somebody between says, no error becomes an acknowledgement.

use std::time::SystemTime;

use bytes::Bytes;

use crate::config::Product;
use crate::retry::{RETRY_AFTER_MAX, retry_after};
use crate::sink::verdict::{Answer, RejectedLine, Verdict, judge};

/// Before a quoted line a server speaks for itself; after these words the record may be speaking.
const QUOTES: &str = "unable to parse '";

/// The bytes are `<product> <status> <retry-after>`, a newline, the answer's body, a zero byte, and the request's body.
pub fn answers(data: &[u8]) {
    let (head, rest) = split(data, b'\n');
    let (body, request) = split(rest, 0);
    let head = String::from_utf8_lossy(head);
    let mut words = head.splitn(3, ' ');
    let product = match words.next().and_then(|word| word.bytes().next()).unwrap_or_default() % 3 {
        0 => Product::V3,
        1 => Product::V1,
        _ => Product::V2,
    };
    let status = words.next().and_then(|word| word.parse().ok()).unwrap_or(400);
    let retry_after = words.next().and_then(|value| retry_after(value, SystemTime::UNIX_EPOCH));
    assert!(retry_after.is_none_or(|asked| asked <= RETRY_AFTER_MAX), "no server makes us wait for ever");

    let answer = Answer { status, retry_after, location: Some(head.to_string()), body: Bytes::copy_from_slice(body) };
    let verdict = judge(product, &answer);
    hold(&answer, &verdict);
    if let Verdict::RejectedLines { lines, .. } = &verdict {
        lines.iter().for_each(|line| find(line, request));
    }
}

/// What a verdict may be, given the answer.
fn hold(answer: &Answer, verdict: &Verdict) {
    let own_words = own_words(&answer.body);
    let says = |words: &str| own_words.as_deref().is_none_or(|own| own.contains(words));
    let status = answer.status;
    let reason = match verdict {
        Verdict::Done => {
            let stored = (200..300).contains(&status) && !answer.body.trim_ascii_start().starts_with(b"<");
            let nothing_to_store = status == 400 && says("incoming write was empty");
            let queued = (500..600).contains(&status) && says("hinted handoff queue not empty");
            assert!(stored || nothing_to_store || queued, "{status} became an acknowledgement");
            return;
        }
        Verdict::RejectedLines { stored_rest, complete, lines, reason } => {
            assert!(matches!(status, 400 | 422 | 500..=599), "{status} became a fault of the records");
            assert!(!stored_rest || says("partial write"), "nobody said that the rest is stored");
            assert!(
                *stored_rest || !lines.is_empty(),
                "nothing is stored and no line is named: that is the whole body"
            );
            assert!(
                !complete || (*stored_rest && !lines.is_empty()),
                "a complete list has lines, and their rest is stored"
            );
            lines.iter().for_each(|line| fit_for_a_log(&line.reason));
            reason
        }
        Verdict::RejectedWhole { reason } => {
            assert!(matches!(status, 400 | 422), "{status} became a fault of the records");
            reason
        }
        Verdict::TooLarge { reason } => {
            assert!(matches!(status, 400 | 413), "{status} became a matter of size");
            reason
        }
        Verdict::Configuration { reason } => reason,
        Verdict::Transient { reason, retry_after, .. } => {
            assert!(retry_after.is_none_or(|asked| Some(asked) == answer.retry_after), "the server's wait is kept");
            reason
        }
    };
    assert!(!reason.is_empty(), "a verdict has a reason");
    fit_for_a_log(reason);
}

/// Lines that are found are there, and are those that were meant.
fn find(line: &RejectedLine, request: &[u8]) {
    let lines: Vec<&[u8]> = request.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    for found in line.find_in(request) {
        let is = *lines.get(found).expect("a line that is found is in the body");
        match (line.number, &line.text) {
            (Some(number), _) => assert_eq!(found + 1, number, "a number names its line"),
            (None, text) => assert_eq!(Some(is), text.as_deref().map(str::as_bytes), "a quoted line is what is quoted"),
        }
    }
}

/// What the server itself says, before it quotes anything; `None` if the body is not read easily enough to know.
fn own_words(body: &[u8]) -> Option<String> {
    let body = String::from_utf8_lossy(body);
    let body = body.trim();
    let text = match serde_json::from_str::<serde_json::Value>(body) {
        Ok(value) => ["error", "message"].iter().find_map(|key| value[*key].as_str()).unwrap_or(body).to_owned(),
        Err(_) if body.starts_with('{') => return None,
        Err(_) => body.to_owned(),
    };
    Some(text.split(QUOTES).next().unwrap_or_default().to_owned())
}

fn fit_for_a_log(reason: &str) {
    assert!(!reason.contains(char::is_control), "a reason is fit for a log");
    assert!(reason.chars().count() < 2_000, "a reason is cut");
}

fn split(data: &[u8], at: u8) -> (&[u8], &[u8]) {
    let end = data.iter().position(|&byte| byte == at).unwrap_or(data.len());
    (&data[..end], data.get(end + 1..).unwrap_or_default())
}
