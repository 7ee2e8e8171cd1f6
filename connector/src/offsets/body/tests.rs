#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;

fn changes(body: &str) -> Result<Vec<OffsetChange>, BodyError> {
    Body::parse(body.as_bytes())?.changes()
}

/// A body with this partition and offset.
fn one(partition: &Value, offset: &Value) -> String {
    json!({"offsets": [{"partition": partition, "offset": offset}]}).to_string()
}

fn change_of(topic: &str, partition: i32, offset: Option<i64>) -> OffsetChange {
    OffsetChange { topic: topic.to_owned(), partition, offset }
}

#[test]
fn offsets_are_set_and_deleted_in_the_order_of_the_body() {
    let body = r#"{"offsets": [
        {"partition": {"kafka_topic": "b", "kafka_partition": 1}, "offset": {"kafka_offset": 7}},
        {"offset": null, "partition": {"kafka_partition": 0, "kafka_topic": "a"}},
        {"partition": {"kafka_topic": "a", "kafka_partition": 2, "more": {}}, "offset": {"kafka_offset": 0, "more": 1}},
        {"partition": {"kafka_topic": "b", "kafka_partition": 1}, "offset": {"kafka_offset": 8}}]}"#;
    let wanted =
        [change_of("b", 1, Some(7)), change_of("a", 0, None), change_of("a", 2, Some(0)), change_of("b", 1, Some(8))];
    assert_eq!(changes(body).unwrap(), wanted);
    // Without the key is null, as in Connect.
    let body = r#"{"offsets": [{"partition": {"kafka_topic": "a", "kafka_partition": 0}}]}"#;
    assert_eq!(changes(body).unwrap(), [change_of("a", 0, None)]);
}

#[test]
fn numbers_may_be_written_as_text() {
    let body =
        one(&json!({"kafka_topic": "a", "kafka_partition": "10"}), &json!({"kafka_offset": "9223372036854775807"}));
    assert_eq!(changes(&body).unwrap(), [change_of("a", 10, Some(i64::MAX))]);
    // What is below zero is a number; who has the group says what is wrong with it.
    let body = one(&json!({"kafka_topic": 5, "kafka_partition": "-1"}), &json!({"kafka_offset": -5}));
    assert_eq!(changes(&body).unwrap(), [change_of("5", -1, Some(-5))]);
}

// The first has no list, the others an entry that is none.
#[test]
fn the_eight_wrong_bodies_of_connects_own_test() {
    let offset = json!({"kafka_offset": 5});
    let partition = json!({"kafka_topic": "a", "kafka_partition": 0});
    let keyless = "must contain the keys 'kafka_topic' and 'kafka_partition'";
    let cases = [
        ("{}".to_owned(), "Partitions / offsets need to be provided for an alter offsets request"),
        (one(&json!(null), &offset), "The partition for a sink connector offset cannot be null or missing"),
        (
            json!({"offsets": [{"offset": offset}]}).to_string(),
            "The partition for a sink connector offset cannot be null or missing",
        ),
        (one(&json!({"kafka_partition": 0}), &offset), keyless),
        (one(&json!({"kafka_topic": "a"}), &offset), keyless),
        (
            one(&json!({"kafka_topic": "a", "kafka_partition": "not a number"}), &offset),
            "Partition values for sink connectors need to be integers",
        ),
        (one(&partition, &json!({"wrong": 5})), "should either be null or contain the key 'kafka_offset'"),
        (
            one(&partition, &json!({"kafka_offset": "not a number"})),
            "Offset values for sink connectors need to be integers",
        ),
    ];
    for (body, words) in cases {
        let error = changes(&body).unwrap_err();
        assert!(error.to_string().contains(words) && !error.is_internal(), "{body}: {error}");
    }
}

// Connect's twin of it for sources: what its JSON library says holds for every connector.
#[test]
fn the_eight_bodies_that_are_of_another_shape() {
    let missing = "Partitions / offsets need to be provided for an alter offsets request";
    let cases = [
        ("[]", true, "Cannot deserialize value"),
        ("{}", false, missing),
        (r#"{"key": []}"#, true, "Unrecognized field"),
        (r#"{"offsets": []}"#, false, missing),
        (r#"{"offsets": {}}"#, true, "Cannot deserialize value"),
        (r#"{"offsets": [123]}"#, true, "Cannot construct instance"),
        (r#"{"offsets": [{"key": "val"}]}"#, true, "Unrecognized field"),
        (r#"{"offsets": [{"partition": []]}]}"#, true, "Cannot deserialize value"),
    ];
    for (body, is_internal, words) in cases {
        let error = Body::parse(body.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(words), "{body}: {error}");
        assert_eq!(error.is_internal(), is_internal, "{body}");
    }
}

#[test]
fn what_is_no_body_is_unparsable() {
    let bodies = [
        "",
        " ",
        "null",
        "5",
        "\"offsets\"",
        "{",
        r#"{"offsets": [null]}"#,
        r#"{"offsets": 5}"#,
        r#"{"offsets": [[]]}"#,
        r#"{"offsets": [{"partition": 5}]}"#,
        r#"{"offsets": [{"offset": [5]}]}"#,
        r#"{"offsets": []} {}"#,
    ];
    for body in bodies {
        let error = Body::parse(body.as_bytes()).unwrap_err();
        assert!(error.is_internal() && !error.to_string().is_empty(), "{body}: {error}");
    }
    assert!(Body::parse(b"\xff").unwrap_err().is_internal());
    assert_eq!(Body::parse(br#"{"offsets": null}"#), Err(BodyError::Missing));
}

#[test]
fn numbers_that_are_none_are_shown() {
    let topic = |partition: Value| json!({"kafka_topic": "a", "kafka_partition": partition});
    for wrong in [json!(1.5), json!(true), json!(2_147_483_648_i64), json!(""), json!(" 1"), json!([1]), json!({})] {
        let error = changes(&one(&topic(wrong.clone()), &json!(null))).unwrap_err();
        assert_eq!(error, BodyError::Partition(text(&wrong)));
        assert!(error.to_string().contains(&text(&wrong)), "{error}");
    }
    assert_eq!(changes(&one(&topic(json!(null)), &json!(null))), Err(BodyError::NullPartition));
    for wrong in [json!(null), json!(5.0), json!(false), json!(9_223_372_036_854_775_808_u64), json!("0x5")] {
        let error = changes(&one(&topic(json!(0)), &json!({"kafka_offset": wrong}))).unwrap_err();
        assert_eq!(error, BodyError::Offset(text(&wrong)));
    }
    for wrong in [json!(null), json!(true), json!(["a"]), json!({})] {
        let error = changes(&one(&json!({"kafka_topic": wrong, "kafka_partition": 0}), &json!(null))).unwrap_err();
        assert_eq!(error, BodyError::Topic);
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let body = format!("\u{feff}{}", one(&json!({"kafka_topic": "a", "kafka_partition": 0}), &json!(null)));
    assert_eq!(changes(&body).unwrap(), [change_of("a", 0, None)]);
}

#[test]
fn an_answer_has_connects_shape() {
    let committed = CommittedOffset { topic: "a".to_owned(), partition: 3, offset: 7 };
    let body = serde_json::to_value(ConnectorOffsets::from(vec![committed])).unwrap();
    let wanted =
        json!({"offsets": [{"partition": {"kafka_topic": "a", "kafka_partition": 3}, "offset": {"kafka_offset": 7}}]});
    assert_eq!(body, wanted);
    assert_eq!(changes(&body.to_string()).unwrap(), [change_of("a", 3, Some(7))], "what is read can be put back");
    assert_eq!(serde_json::to_value(ConnectorOffsets::from(Vec::new())).unwrap(), json!({"offsets": []}));
}
