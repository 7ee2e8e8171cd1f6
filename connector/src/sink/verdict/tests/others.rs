//! Stores that speak like InfluxDB, and InfluxDB's cloud.

use super::*;

#[test]
fn victoria_metrics_1_79() {
    // It skips what it can't parse and answers 204.
    check(
        Product::V1,
        &[
            (204, "", "done"),
            (
                400,
                "remoteAddr: \"127.0.0.1:5\"; requestURI: /write?db=x; cannot read influx line protocol data: too long line: more than 262144 bytes\n",
                "whole",
            ),
            (
                400,
                "remoteAddr: \"127.0.0.1:5\"; requestURI: /write?db=x; cannot read gzipped influx line protocol data: gzip: invalid header\n",
                "transient",
            ),
            (
                400,
                "remoteAddr: \"127.0.0.1:5\"; requestURI: /write?db=x; cannot read influx line protocol data: unexpected EOF\n",
                "transient",
            ),
            (
                400,
                "remoteAddr: \"127.0.0.1:5\"; requestURI: /influx/rite?db=x; unsupported path requested: \"/influx/rite\"\n",
                "configuration",
            ),
            (401, "", "configuration"),
            (
                503,
                "remoteAddr: \"127.0.0.1:5\"; requestURI: /write?db=x; cannot handle more than 16 concurrent inserts during 1m0s; possible solutions: increase `-insert.maxQueueDuration`, increase `-maxConcurrentInserts`, increase server capacity\n",
                "transient",
            ),
        ],
    );
}

#[test]
fn victoria_metrics_1_105_and_later() {
    for product in [Product::V1, Product::V2] {
        check(
            product,
            &[
                (204, "", "done"),
                (
                    400,
                    "remoteAddr: \"127.0.0.1:5\"; requestURI: /write?db=x; cannot unmarshal \"m f=\": missing field value\n",
                    "whole",
                ),
                // The words are the user's.
                (
                    400,
                    "remoteAddr: \"127.0.0.1:5\"; requestURI: /write?db=x; cannot unmarshal \"m f=\\\"too big data size\\\" cannot read gzip: \": missing field value\n",
                    "whole",
                ),
                (
                    400,
                    "remoteAddr: \"127.0.0.1:5\"; requestURI: /write?db=x; too big data size exceeding -influx.maxRequestSize=67108864 bytes\n",
                    "too large",
                ),
                (
                    400,
                    "remoteAddr: \"127.0.0.1:5\"; requestURI: /write?db=x; too big decompressed data size exceeding -influx.maxRequestSize=67108864 bytes\n",
                    "too large",
                ),
                (
                    400,
                    "remoteAddr: \"127.0.0.1:5\"; requestURI: /write?db=x; too big request; mustn't exceed -influx.maxRequestSize=67108864 bytes\n",
                    "too large",
                ),
                (
                    400,
                    "remoteAddr: \"127.0.0.1:5, X-Forwarded-For: \\\"10.0.0.1\\\"\"; requestURI: /write?db=x; cannot decompress data: unexpected EOF\n",
                    "transient",
                ),
                (400, "remoteAddr: \"127.0.0.1:5\"; requestURI: /write?db=x; gzip: invalid checksum\n", "transient"),
                (
                    400,
                    "remoteAddr: \"127.0.0.1:5\"; requestURI: /w; unsupported path requested: \"/w\"\n",
                    "configuration",
                ),
                (
                    503,
                    "remoteAddr: \"127.0.0.1:5\"; requestURI: /write?db=x; cannot process insert request for 1m0s\n",
                    "transient",
                ),
            ],
        );
    }
}

#[test]
fn questdb() {
    for product in [Product::V1, Product::V2] {
        check(
            product,
            &[
                (204, "", "done"),
                (
                    400,
                    r#"{"code":"invalid","message":"failed to parse line protocol:errors encountered on line(s):\nerror in line 3: Could not parse entire line. Field value is missing: f","line":3,"errorId":"1-2"}"#,
                    "nothing stored [#3]",
                ),
                (
                    400,
                    r#"{"code":"invalid","message":"failed to parse line protocol:errors encountered on line(s):\nerror in line 1: table: m, column: f; cast error from protocol type: STRING to column type: DOUBLE","line":1,"errorId":"1-2"}"#,
                    "nothing stored [#1]",
                ),
                // Refused before the first line was looked at: its line is 0.
                (
                    400,
                    r#"{"code":"not supported","message":"failed to parse line protocol:errors encountered on line(s):unsupported precision","line":0,"errorId":"1-2"}"#,
                    "configuration",
                ),
                (401, "Unauthorized\r\n", "configuration"),
                (
                    403,
                    r#"{"code":"unauthorised","message":"failed to parse line protocol:errors encountered on line(s):write error: m, errno: -1, error: Access denied for u [INSERT on m]","line":1,"errorId":"1-2"}"#,
                    "configuration",
                ),
                (404, r#"{"code":"not found","message":"Not Found","errorId":"1-2"}"#, "configuration"),
                (405, "Method not supported", "configuration"),
                (
                    413,
                    r#"{"code":"request too large","message":"failed to parse line protocol:errors encountered on line(s):\nunable to read data: ILP message too large","line":1,"errorId":"1-2"}"#,
                    "too large",
                ),
                // before 9.1
                (
                    415,
                    r#"{"code":"not supported","message":"failed to parse line protocol:errors encountered on line(s):gzip encoding is not supported","line":0,"errorId":"1-2"}"#,
                    "configuration",
                ),
                (
                    500,
                    r#"{"code":"internal error","message":"commit error for table: m, errno: 28, error: could not open","errorId":"1-2"}"#,
                    "transient",
                ),
                // Its line is where the server was, not what is wrong.
                (
                    500,
                    r#"{"code":"internal error","message":"failed to parse line protocol:errors encountered on line(s):write error: m, errno: 28, error: No space left","line":4,"errorId":"1-2"}"#,
                    "transient",
                ),
            ],
        );
    }
}

#[test]
fn greptimedb() {
    for product in [Product::V1, Product::V2] {
        check(
            product,
            &[
                (204, "", "done"),
                (400, r#"{"code":1004,"error":"Failed to parse line protocol","execution_time_ms":0}"#, "whole"),
                (400, r#"{"code":2000,"error":"Invalid syntax","execution_time_ms":0}"#, "whole"),
                (400, r#"{"code":4002,"error":"Column not found: f","execution_time_ms":0}"#, "whole"),
                (400, r#"{"code":1001,"error":"Unsupported","execution_time_ms":0}"#, "configuration"),
                (400, r#"{"code":4001,"error":"Table not found: m","execution_time_ms":0}"#, "configuration"),
                (400, r#"{"code":4004,"error":"Database not found: x","execution_time_ms":0}"#, "configuration"),
                // Two writers that create the same table or column, a region that moves, a schema that was changed meanwhile.
                (400, r#"{"code":4000,"error":"Table already exists: m","execution_time_ms":0}"#, "transient"),
                (400, r#"{"code":4003,"error":"Column already exists: f","execution_time_ms":0}"#, "transient"),
                (400, r#"{"code":4005,"error":"Region not found","execution_time_ms":0}"#, "transient"),
                (400, r#"{"code":5001,"error":"Request is outdated","execution_time_ms":0}"#, "transient"),
                (401, r#"{"code":4007,"error":"Region is read only","execution_time_ms":0}"#, "transient"),
                (401, r#"{"code":7000,"error":"User not found","execution_time_ms":0}"#, "configuration"),
                (
                    401,
                    r#"{"code":7002,"error":"Username and password does not match","execution_time_ms":0}"#,
                    "configuration",
                ),
                (
                    401,
                    r#"{"code":7003,"error":"Not found http or grpc authorization header","execution_time_ms":0}"#,
                    "configuration",
                ),
                (403, r#"{"code":7005,"error":"Access denied","execution_time_ms":0}"#, "configuration"),
                // Whatever the HTTP status is.
                (400, r#"{"code":7006,"error":"User is not authorized","execution_time_ms":0}"#, "configuration"),
                (429, r#"{"code":6001,"error":"Rate limited","execution_time_ms":0}"#, "transient"),
                (500, r#"{"code":1003,"error":"Internal error: 1003","execution_time_ms":0}"#, "transient"),
                (500, r#"{"code":6000,"error":"Runtime resources exhausted","execution_time_ms":0}"#, "transient"),
                (503, r#"{"code":4009,"error":"Region busy","execution_time_ms":0}"#, "transient"),
                (503, r#"{"code":5000,"error":"Storage unavailable","execution_time_ms":0}"#, "transient"),
                (504, r#"{"code":1008,"error":"Deadline exceeded","execution_time_ms":0}"#, "transient"),
                // Older versions answer 200 for a cancelled write: it is no acknowledgement.
                (200, r#"{"code":1005,"error":"Cancelled","execution_time_ms":0}"#, "transient"),
                (200, r#"{"code":0,"execution_time_ms":0}"#, "done"),
            ],
        );
    }
}

#[test]
fn a_proxy_that_repeats_the_status_is_not_taken_for_greptimedb() {
    check(
        Product::V1,
        &[
            (404, r#"{"code":404,"message":"no Route matched with those values"}"#, "configuration"),
            (403, r#"{"code":403,"message":"forbidden"}"#, "configuration"),
            (502, r#"{"code":502,"message":"bad gateway"}"#, "transient"),
        ],
    );
}

#[test]
fn influxdb_cloud() {
    check(
        Product::V2,
        &[
            (
                400,
                r#"{"code":"invalid","message":"partial write error (5 accepted): 1 out of 6 points rejected (check rejected_points in your _monitoring bucket for further information)"}"#,
                "partial []",
            ),
            (413, "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n</html>\r\n", "too large"),
            (
                429,
                r#"{"code":"too many requests","message":"org 1 has exceeded limited_write plan limit"}"#,
                "transient",
            ),
            (503, r#"{"code":"unavailable","message":"cardinality limit exceeded"}"#, "transient"),
        ],
    );
    // Rates come with a wait, cardinality without.
    for retry_after in [None, Some(Duration::from_secs(180))] {
        let body = r#"{"code":"too many requests","message":"exceeded"}"#;
        let asked = Answer { retry_after, ..answer(429, body) };
        let reason = "429: exceeded".to_owned();
        assert_eq!(judge(Product::V2, &asked), Verdict::Transient { reason, retry_after, suspicious: false });
    }
}
