//! The tables: bodies byte for byte as the servers give them. Those of InfluxDB 1 were seen on 1.6.7, unless a line says otherwise;
//! those of the others are from their sources and documentation.

mod others;

use super::*;

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, body: Bytes::copy_from_slice(body.as_bytes()), ..Answer::default() }
}

fn judged(product: Product, status: u16, body: &str) -> Verdict {
    judge(product, &answer(status, body))
}

/// A verdict in short: its name, and for lines what they are known by.
fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Done => "done".into(),
        Verdict::RejectedLines { stored_rest, complete, lines, .. } => {
            let named: Vec<String> = lines
                .iter()
                .map(|line| match (&line.number, &line.text) {
                    (Some(number), _) => format!("#{number}"),
                    (None, Some(text)) => text.clone(),
                    (None, None) => "?".into(),
                })
                .collect();
            let stored = if *stored_rest { "partial" } else { "nothing stored" };
            format!("{stored}{} [{}]", if *complete { ", complete" } else { "" }, named.join("|"))
        }
        Verdict::RejectedWhole { .. } => "whole".into(),
        Verdict::TooLarge { .. } => "too large".into(),
        Verdict::Configuration { .. } => "configuration".into(),
        Verdict::Transient { .. } => "transient".into(),
    }
}

fn check(product: Product, table: &[(u16, &str, &str)]) {
    for (status, body, expected) in table {
        let verdict = judged(product, *status, body);
        assert_eq!(short(&verdict), *expected, "{product:?} {status} {body}");
    }
}

#[test]
fn influxdb_1() {
    check(
        Product::V1,
        &[
            (204, "", "done"),
            (200, "", "done"),
            (400, r#"{"error":"database is required"}"#, "configuration"),
            (400, r#"{"error":"invalid consistency level"}"#, "configuration"),
            (400, r#"{"error":"invalid precision \"x\" (use n, u, ms, s, m or h)"}"#, "configuration"),
            (400, r#"{"error":"unable to parse 'm, f=1': missing tag key"}"#, "nothing stored [m, f=1]"),
            (
                400,
                r#"{"error":"partial write: unable to parse 'm, f=1': missing tag key\nunable to parse 'm f=abc 2': invalid boolean\nunable to parse 'm,t=it's f 3': invalid field format dropped=0"}"#,
                "partial, complete [m, f=1|m f=abc 2|m,t=it's f 3]",
            ),
            (
                400,
                r#"{"error":"partial write: field type conflict: input field \"f\" on measurement \"m\" is type string, already exists as type float dropped=1"}"#,
                "partial []",
            ),
            (400, r#"{"error":"partial write: points beyond retention policy dropped=2"}"#, "partial []"),
            // 1.12
            (
                400,
                r#"{"error":"partial write: dropped 2 points outside retention policy of duration 1h0m0s - oldest point m,t=a at 1970-01-01T00:00:00Z, newest point m,t=a at 1970-01-01T00:00:01Z dropped=2 for database: x for retention policy: y"}"#,
                "partial []",
            ),
            (
                400,
                r#"{"error":"partial write: max-values-per-tag limit exceeded (8/5): measurement=\"m\" tag=\"k\" value=\"v8\" dropped=12"}"#,
                "partial []",
            ),
            (
                400,
                r#"{"error":"partial write: max-series-per-database limit exceeded: (60) dropped=15"}"#,
                "partial []",
            ),
            (
                400,
                r#"{"error":"partial write: invalid tag key: input tag \"time\" on measurement \"m\" is invalid dropped=1"}"#,
                "partial []",
            ),
            (400, r#"{"error":"unexpected EOF"}"#, "transient"),
            (400, "unexpected EOF", "transient"),
            (400, r#"{"error":"gzip: invalid header"}"#, "transient"),
            (401, r#"{"error":"unable to parse authentication credentials"}"#, "configuration"),
            (401, r#"{"error":"authorization failed"}"#, "configuration"),
            (401, r#"{"error":"bearer auth disabld"}"#, "configuration"),
            (403, r#"{"error":"\"w\" user is not authorized to write to database \"t\""}"#, "configuration"),
            (404, r#"{"error":"database not found: \"x\""}"#, "configuration"),
            (404, "404 page not found\n", "configuration"),
            (405, "Method Not Allowed\n", "configuration"),
            (413, r#"{"error":"Request Entity Too Large"}"#, "too large"),
            (500, r#"{"error":"retention policy not found: x"}"#, "configuration"),
            (500, r#"{"error":"timeout"}"#, "transient"),
            (500, r#"{"error":"write failed"}"#, "transient"),
            (500, r#"{"error":"engine: cache-max-memory-size exceeded: (435582/300000)"}"#, "transient"),
            (500, r#"{"error":"partial write: points beyond retention policy dropped=2"}"#, "partial []"),
            // Enterprise
            (500, r#"{"error":"hinted handoff queue not empty"}"#, "done"),
            (503, "request throttled, queue full\n", "transient"),
            (503, "request throttled, exceeds timeout\n", "transient"),
        ],
    );
}

#[test]
fn influxdb_2() {
    check(
        Product::V2,
        &[
            (204, "", "done"),
            (
                400,
                r#"{"code":"invalid","message":"unable to parse 'm f=1 x': bad timestamp\nunable to parse 'm f': invalid field format"}"#,
                "nothing stored [m f=1 x|m f]",
            ),
            (
                400,
                r#"{"code":"invalid","message":"invalid precision; valid precision units are ns, us, ms, and s"}"#,
                "configuration",
            ),
            (401, r#"{"code":"unauthorized","message":"unauthorized access"}"#, "configuration"),
            (403, r#"{"code":"forbidden","message":"insufficient permissions for write"}"#, "configuration"),
            (404, r#"{"code":"not found","message":"bucket \"b\" not found"}"#, "configuration"),
            (404, r#"{"code":"not found","message":"no dbrp mapping found"}"#, "configuration"),
            (408, r#"{"code":"request timeout","message":"context deadline exceeded"}"#, "transient"),
            (499, r#"{"code":"client closed","message":"context canceled"}"#, "transient"),
            (
                413,
                r#"{"code":"request too large","message":"unable to read data: points batch is too large"}"#,
                "too large",
            ),
            (413, "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n", "too large"),
            (
                422,
                r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"f\" on measurement \"m\" is type string, already exists as type float dropped=1 for database: 0a1b2c3d4e5f6071 for retention policy: autogen"}"#,
                "partial []",
            ),
            (422, r#"{"code":"unprocessable entity","message":"something of another version"}"#, "whole"),
            (
                429,
                r#"{"code":"too many requests","message":"org 1 has exceeded limited_write plan limit"}"#,
                "transient",
            ),
            (
                500,
                r#"{"code":"internal error","message":"unexpected error writing points to database: timeout"}"#,
                "transient",
            ),
            (
                500,
                r#"{"code":"internal error","message":"unexpected error writing points to database: engine: cache-max-memory-size exceeded: (435582/300000)"}"#,
                "transient",
            ),
            (
                500,
                r#"{"code":"internal error","message":"An internal error has occurred - check server logs"}"#,
                "transient",
            ),
            (503, r#"{"code":"unavailable","message":"service unavailable"}"#, "transient"),
            // InfluxDB Cloud with an explicit schema
            (
                400,
                r#"{"code":"invalid","message":"partial write error (5 accepted): 1 out of 6 points rejected (check rejected_points in your _monitoring bucket for further information)"}"#,
                "partial []",
            ),
        ],
    );
}

#[test]
fn influxdb_3() {
    check(
        Product::V3,
        &[
            (204, "", "done"),
            (400, "incoming write was empty", "done"),
            (
                400,
                r#"{"error":"partial write of line protocol occurred","data":[{"error_message":"invalid column type for column 'f', expected iox::column_type::field::float, got iox::column_type::field::string","line_number":2,"original_line":"m,t=a f=x 1"},{"error_message":"No fields were provided","line_number":5,"original_line":"m,t=a "}]}"#,
                "partial, complete [#2|#5]",
            ),
            (
                422,
                r#"{"error":"partial write of line protocol occurred","data":[{"error_message":"Update to schema would exceed number of columns per table limit of 500 columns","line_number":1,"original_line":"m,t=a f501=1 1"}]}"#,
                "partial, complete [#1]",
            ),
            (
                400,
                r#"{"error":"line protocol parsing error","data":{"error_message":"No fields were provided","line_number":3,"original_line":"m"}}"#,
                "nothing stored [#3]",
            ),
            // up to 3.9
            (
                400,
                r#"{"error":"parsing failed for write_lp endpoint","data":{"error_message":"No fields were provided","line_number":3,"original_line":"m"}}"#,
                "nothing stored [#3]",
            ),
            // the endpoint /api/v2/write of the same server
            (
                400,
                r#"{"code":"invalid","message":"write buffer error: line protocol parse failed: No fields were provided"}"#,
                "whole",
            ),
            (400, r#"{"code":"invalid","message":"incoming write was empty"}"#, "done"),
            (400, r#"{"error":"db name did not start with a number or letter","data":null}"#, "configuration"),
            (400, r#"{"error":"db name cannot be empty"}"#, "configuration"),
            (
                400,
                r#"{"error":"invalid character in database or rp name: must be ASCII, containing only letters, numbers, underscores, or hyphens"}"#,
                "configuration",
            ),
            (400, r#"{"error":"cannot write to soft-deleted database 'x'"}"#, "configuration"),
            (400, "unacceptable content-encoding: zstd", "configuration"),
            (400, "error decoding gzip stream: corrupt deflate stream", "transient"),
            (400, "body content is not valid utf8: invalid utf-8 sequence of 1 bytes from index 3", "whole"),
            (
                400,
                r#"{"error":"Authorization header was malformed and should be in the form 'Authorization: Bearer <token>'"}"#,
                "configuration",
            ),
            (401, r#"{"error": "the request was not authenticated"}"#, "configuration"),
            (403, r#"{"error": "the request was not authorized"}"#, "configuration"),
            (404, "not found", "configuration"),
            (413, "max request size (10485760 bytes) exceeded", "too large"),
            (429, "this service is overloaded, please try again later", "transient"),
            (500, "write buffer error: error from wal: the buffer is full", "transient"),
            // Cloud Dedicated, Clustered, Serverless
            (
                400,
                r#"{"code":"invalid","line":2,"message":"failed to parse line protocol: errors encountered on line(s): error parsing line 2 (1-based): No fields were provided"}"#,
                "nothing stored [#2]",
            ),
        ],
    );
}

#[test]
fn what_no_influxdb_says_keeps_the_data() {
    for product in [Product::V1, Product::V2, Product::V3] {
        check(
            product,
            &[
                (200, "<!doctype html><html><title>InfluxDB</title>", "configuration"),
                (302, "", "configuration"),
                (
                    400,
                    "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",
                    "configuration",
                ),
                (400, "Client sent an HTTP request to an HTTPS server.\n", "configuration"),
                (402, "", "configuration"),
                (407, "", "configuration"),
                (409, "", "configuration"),
                (422, "<html></html>", "configuration"),
                (425, "", "transient"),
                (451, "", "configuration"),
                (500, "", "transient"),
                (502, "<html><h1>502 Bad Gateway</h1></html>", "transient"),
                (504, "", "transient"),
                (599, "", "transient"),
                (700, "", "transient"),
            ],
        );
    }
}

#[test]
fn words_inside_a_quoted_line_decide_nothing() {
    // Nothing is stored: the words are the user's.
    let body = r#"{"code":"invalid","message":"unable to parse 'm f=\"partial write': unbalanced quotes"}"#;
    assert_eq!(short(&judged(Product::V2, 400, body)), "nothing stored [m f=\"partial write]");
    let body = r#"{"error":"unable to parse 'database is required': missing fields"}"#;
    assert_eq!(short(&judged(Product::V1, 400, body)), "nothing stored [database is required]");
    let body = r#"{"error":"unable to parse 'm f=\"x': y\nz': invalid field format"}"#;
    assert_eq!(short(&judged(Product::V1, 400, body)), "nothing stored [m f=\"x': y\nz]");
}

#[test]
fn a_cut_answer_still_tells_what_it_begins_with() {
    let whole = r#"{"error":"partial write of line protocol occurred","data":[{"error_message":"a","line_number":2,"original_line":"m,t=a f=x 1"},{"error_message":"b","line_number":5,"original_line":"m\u00e4"}]}"#;
    for end in 1..whole.len() {
        let verdict = short(&judged(Product::V3, 400, &whole[..end]));
        // Never an acknowledgement, never a complete list; once the first entry is there, its line is known.
        let first_entry = whole.find("},{").unwrap() + 1;
        let expected: &[&str] = match end {
            _ if end < whole.find("partial write").unwrap() + "partial write".len() => &["whole"],
            _ if end < first_entry => &["partial []"],
            _ if end < whole.len() - 2 => &["partial [#2]"],
            _ => &["partial [#2|#5]"],
        };
        assert!(expected.contains(&verdict.as_str()), "cut at {end}: {verdict}");
    }
    let whole = r#"{"error":"partial write: unable to parse 'm, f=\u003c1': missing tag key\nunable to parse 'm f=abc 2': invalid boolean"}"#;
    for end in whole.find("issing").unwrap()..whole.len() {
        let verdict = short(&judged(Product::V1, 400, &whole[..end]));
        assert!(verdict.starts_with("partial [m, f=<1"), "cut at {end}: {verdict}");
    }
}

#[test]
fn reasons_name_the_status_the_words_and_what_to_do() {
    for (product, status, body, expected) in [
        (
            Product::V1,
            404,
            r#"{"error":"database not found: \"x\""}"#,
            "404: database not found: \"x\"; create the database or correct influx.database",
        ),
        (
            Product::V1,
            401,
            r#"{"error":"authorization failed"}"#,
            "401: authorization failed; check influx.username and influx.password",
        ),
        (Product::V2, 401, "", "401; check influx.token"),
        (
            Product::V2,
            404,
            r#"{"code":"not found","message":"bucket \"b\" not found"}"#,
            "404: bucket \"b\" not found; create the bucket or correct influx.org and influx.bucket",
        ),
        (
            Product::V2,
            404,
            "404 page not found\n",
            "404: 404 page not found; the server has no such endpoint: check influx.url and influx.version",
        ),
        (
            Product::V1,
            500,
            r#"{"error":"retention policy not found: x"}"#,
            "500: retention policy not found: x; create the retention policy or correct influx.retention.policy",
        ),
    ] {
        assert_eq!(judged(product, status, body), Verdict::Configuration { reason: expected.into() });
    }
    let moved = Answer { status: 307, location: Some("https://other/write".into()), ..Answer::default() };
    let reason = "307: redirected to https://other/write; redirects are not followed: check influx.url".to_owned();
    assert_eq!(judge(Product::V1, &moved), Verdict::Configuration { reason });
    let Verdict::RejectedWhole { reason } = judged(Product::V1, 400, &"\u{7}a\n".repeat(10_000)) else { panic!() };
    assert!(reason.starts_with("400: \\u{7}a\\n\\u{7}a") && reason.ends_with('…') && reason.len() < 3_000, "{reason}");
}

#[test]
fn only_a_transient_verdict_carries_the_wait_asked_for() {
    let wait = Some(Duration::from_secs(7));
    for status in [408, 429, 500, 503] {
        let verdict = judge(Product::V2, &Answer { status, retry_after: wait, ..Answer::default() });
        assert_eq!(
            verdict,
            Verdict::Transient { reason: status.to_string(), retry_after: wait, suspicious: status == 500 }
        );
    }
}

/// Found by fuzzing: a refused line that nobody names would pass for a stored one.
#[test]
fn a_list_with_a_complaint_that_cannot_be_read_is_not_complete() {
    let body = |second: &str| {
        format!(r#"{{"error":"partial write: unable to parse 'a f=x 1': bad\nunable to parse '{second} dropped=0"}}"#)
    };
    for (second, all) in [("b f=y 2': bad", true), ("b f=y 2", false), ("", false)] {
        let Verdict::RejectedLines { complete, .. } = judged(Product::V1, 400, &body(second)) else {
            panic!("{second}")
        };
        assert_eq!(complete, all, "{second}");
    }
}

/// Found by fuzzing: what a record says in a quoted line must not pass for the server's words.
#[test]
fn words_inside_a_quoted_line_are_no_acknowledgement() {
    for (status, line) in [
        (500, "m f=\\\"hinted handoff queue not empty\\\" x"),
        (400, "m f=\\\"too big data size\\\" x"),
        (400, "m f=1 incoming write was empty"),
    ] {
        let cut = format!(r#"{{"error":"unable to parse '{line}"#);
        let whole = format!(r#"{cut}': bad timestamp"}}"#);
        for body in [&cut, &whole] {
            let verdict = judged(Product::V1, status, body);
            assert!(!matches!(verdict, Verdict::Done | Verdict::TooLarge { .. }), "{status} {body}: {verdict:?}");
        }
    }
}

#[test]
fn attempts_without_an_answer() {
    for (failure, expected) in [
        (Failure::Resolve, "transient"),
        (Failure::Connect, "transient"),
        (Failure::Timeout, "transient"),
        (Failure::Interrupted, "transient"),
        (Failure::Certificate, "configuration"),
        (Failure::Tls, "configuration"),
        (Failure::Unsendable, "configuration"),
    ] {
        assert_eq!(short(&judge_failure(failure, "x".into())), expected, "{failure:?}");
    }
}

#[test]
fn an_attempt_is_named_in_every_reason() {
    for verdict in [
        judged(Product::V1, 400, r#"{"error":"unable to parse 'm': missing fields"}"#),
        judged(Product::V1, 400, "x"),
        judged(Product::V1, 413, "x"),
        judged(Product::V1, 401, "x"),
        judged(Product::V1, 500, "x"),
    ] {
        let name = short(&verdict);
        let named = verdict.of("POST http://h/write");
        assert_eq!(short(&named), name);
        assert!(format!("{named:?}").contains("POST http://h/write: "), "{named:?}");
    }
}

#[test]
fn a_rejected_line_is_found_in_the_body() {
    let body = b"m f=1 1\nm f=2 2\nm f=22 3\nm f=2 2\n";
    let line =
        |number, text: Option<&str>| RejectedLine { number, text: text.map(str::to_owned), reason: String::new() };
    let cases: [(RejectedLine, &[usize]); 9] = [
        (line(Some(1), None), &[0]),
        (line(Some(3), Some("re-written")), &[2]),
        (line(Some(5), None), &[]),
        (line(Some(0), None), &[]),
        (line(None, Some("m f=2 2")), &[1, 3]),
        // Cut: the line may be this one or another.
        (line(None, Some("m f=22")), &[]),
        (line(None, Some("other")), &[]),
        (line(None, Some("")), &[]),
        (line(None, None), &[]),
    ];
    for (rejected, expected) in cases {
        assert_eq!(rejected.find_in(body), expected, "{rejected:?}");
    }
}

#[test]
fn any_bytes_get_a_verdict() {
    proptest::proptest!(|(status in 0u16..1000, body: Vec<u8>, text in "[{\\[\"a-z:,\\\\u0-9}\\] ]{0,60}")| {
        for product in [Product::V1, Product::V2, Product::V3] {
            for body in [&body[..], text.as_bytes()] {
                let is_html = String::from_utf8_lossy(body).trim_start().starts_with('<');
                let verdict = judge(product, &Answer { status, body: Bytes::copy_from_slice(body), ..Answer::default() });
                // No error becomes an acknowledgement by accident, and no acknowledgement an error.
                let expected = (200..300).contains(&status) && !is_html;
                proptest::prop_assert_eq!(verdict == Verdict::Done, expected);
            }
        }
    });
}
