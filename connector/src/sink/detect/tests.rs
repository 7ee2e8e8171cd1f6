use super::*;

fn identity(status: u16, version: Option<&str>, has_cluster_uuid: bool, body: &str) -> Identity {
    Identity { status, version: version.map(str::to_owned), has_cluster_uuid, body: body.as_bytes().to_vec() }
}

#[test]
fn servers_are_told_by_what_they_say_of_themselves() {
    let three = r#"{"version":"3.10.2","revision":"5c1dd1ee5d","process_id":"b6b9d9a0"}"#;
    for (name, asked, expected) in [
        ("InfluxDB 1.6.7", identity(204, Some("1.6.7~rc0"), false, ""), Some((Product::V1, "1.6.7~rc0"))),
        ("InfluxDB 1.8", identity(204, Some("1.8.10"), false, ""), Some((Product::V1, "1.8.10"))),
        ("InfluxDB 1, no such database", identity(404, Some("1.12.2"), false, "{}"), Some((Product::V1, "1.12.2"))),
        ("VictoriaMetrics, write", identity(204, Some("1.8.0"), false, ""), Some((Product::V1, "1.8.0"))),
        ("InfluxDB 2.0", identity(204, Some("2.0.9"), false, ""), Some((Product::V2, "2.0.9"))),
        ("InfluxDB 2.7", identity(204, Some("v2.7.11"), false, ""), Some((Product::V2, "2.7.11"))),
        ("QuestDB", identity(204, Some("v2.7.4"), false, ""), Some((Product::V2, "2.7.4"))),
        ("InfluxDB 3", identity(200, Some("3.10.2"), true, three), Some((Product::V3, "3.10.2"))),
        ("InfluxDB 3, version in the body", identity(200, None, true, three), Some((Product::V3, "3.10.2"))),
        (
            "InfluxDB 3, no token",
            identity(401, None, true, r#"{"error": "the request was not authenticated"}"#),
            Some((Product::V3, "3")),
        ),
        ("VictoriaMetrics, ping", identity(204, None, false, ""), None),
        ("some web service", identity(200, None, false, three), None),
        ("nginx", identity(404, None, false, "<html></html>"), None),
        ("an InfluxDB of the future", identity(204, Some("v4.0.0"), false, ""), None),
        ("nonsense", identity(204, Some("latest"), false, ""), None),
    ] {
        let expected = expected.map(|(product, version)| Detected { product, version: version.to_owned() });
        assert_eq!(classify(&asked), expected, "{name}");
    }
}

#[test]
fn what_answered_is_described_for_a_person() {
    assert_eq!(describe(&identity(204, None, false, "")), "204");
    assert_eq!(describe(&identity(404, None, false, "404 page not found\n")), "404: 404 page not found");
    assert_eq!(describe(&identity(204, Some("v4.0"), false, "")), "204 with X-Influxdb-Version: v4.0");
    assert!(describe(&identity(200, None, false, &"x".repeat(9_999))).len() < 120);
}

#[test]
fn a_failed_detection_is_held_or_retried_like_a_failed_write() {
    let wait = Some(Duration::from_secs(3));
    let error = DetectError::Transient { reason: "a".into(), retry_after: wait };
    assert_eq!(error.to_string(), "a");
    assert_eq!(Verdict::from(error), Verdict::Transient { reason: "a".into(), retry_after: wait, suspicious: false });
    let error = DetectError::Configuration { reason: "b".into() };
    assert_eq!(Verdict::from(error), Verdict::Configuration { reason: "b".into() });
}
