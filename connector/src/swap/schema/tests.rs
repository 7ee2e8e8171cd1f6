use proptest::prelude::*;

use super::*;

fn schema(lines: &[&str]) -> Schema {
    let mut schema = Schema::default();
    lines.iter().for_each(|line| schema.add(line));
    schema
}

fn changes(old: &[&str], new: &[&str]) -> Vec<String> {
    schema(old).changes_to(&schema(new)).changes.iter().map(Change::to_string).collect()
}

#[test]
fn equal_schemas_have_no_changes() {
    let lines = ["m,a=1 f=1,g=2i,h=3u,s=\"x\",b=t 7", "other f=1i"];
    let diff = schema(&lines).changes_to(&schema(&[lines[1], "m,a=9 b=f,s=\"y\",h=1u,g=1i,f=0"]));
    assert_eq!(diff, SchemaChanges::default());
}

#[test]
fn every_type_is_told_by_its_name() {
    let values = [("1", "float"), ("1i", "integer"), ("1u", "unsigned"), ("\"1\"", "string"), ("true", "boolean")];
    for (old, old_name) in values {
        for (new, new_name) in values.iter().filter(|(value, _)| *value != old) {
            let told = changes(&[&format!("m f={old}")], &[&format!("m f={new}")]);
            let expected = format!("field \"f\" of measurement \"m\" changes its type from {old_name} to {new_name}");
            assert_eq!(told, [expected]);
        }
    }
}

#[test]
fn a_type_that_the_old_version_wrote_as_well_is_no_change() {
    assert!(changes(&["m f=1", "m f=1i"], &["m f=1i"]).is_empty());
    let told = changes(&["m f=1"], &["m f=1", "m f=1i"]);
    assert_eq!(told, ["field \"f\" of measurement \"m\" changes its type from float to float and integer"]);
}

#[test]
fn what_comes_and_goes_is_told_the_gravest_first() {
    let old = ["a f=1", "m,gone=1,moved=1 lost=1,swapped=2,same=1,typed=1"];
    let new = ["b f=1", "m,swapped=1,fresh=1 moved=1,got=1,same=1,typed=1i"];
    assert_eq!(
        schema(&old).changes_to(&schema(&new)).changes,
        [
            Change::FieldType {
                measurement: "m".into(),
                field: "typed".into(),
                old: vec![FieldType::Float],
                new: vec![FieldType::Integer]
            },
            Change::TagBecameField { measurement: "m".into(), name: "moved".into() },
            Change::FieldBecameTag { measurement: "m".into(), name: "swapped".into() },
            Change::MeasurementGone { measurement: "a".into() },
            Change::MeasurementAdded { measurement: "b".into() },
            Change::TagGone { measurement: "m".into(), tag: "gone".into() },
            Change::TagAdded { measurement: "m".into(), tag: "fresh".into() },
            Change::FieldGone { measurement: "m".into(), field: "lost".into() },
            Change::FieldAdded { measurement: "m".into(), field: "got".into() },
        ]
    );
    let refused: Vec<bool> =
        schema(&old).changes_to(&schema(&new)).changes.iter().map(Change::is_refused_by_influx).collect();
    assert_eq!(refused, [true, true, true, false, false, false, false, false, false]);
}

#[test]
fn names_are_those_that_influx_has() {
    let told = changes(&["m f=1"], &["m\\ x\\,y,t\\=g=1 f\\,d=1i"]);
    assert_eq!(told[1], "measurement \"m x,y\" is new");
}

#[test]
fn a_name_per_record_costs_bounded_memory() {
    let (mut measurements, mut tags, mut fields) = (Schema::default(), Schema::default(), Schema::default());
    let long = "x".repeat(10_000);
    for n in 0..5000 {
        measurements.add(&format!("m{n}{long} f=1"));
        tags.add(&format!("m,t{n}=1 f=1"));
        fields.add(&format!("m{} f{n}=1", n % 2));
    }
    let count = |schema: &Schema| {
        let columns = |count: fn(&Columns) -> usize| schema.measurements.values().map(count).sum::<usize>();
        (schema.measurements.len(), columns(|columns| columns.tags.len()), columns(|columns| columns.fields.len()))
    };
    assert_eq!(count(&measurements), (NAMES_MAX, 0, NAMES_MAX));
    assert_eq!(count(&tags), (1, NAMES_MAX, 1));
    assert_eq!(count(&fields), (2, 0, NAMES_MAX));
    assert!(measurements.measurements.keys().all(|name| name.len() <= NAME_MAX_BYTES));
    assert!(measurements.has_more() && tags.has_more() && fields.has_more());

    let grown = schema(&["m f=1"]).changes_to(&measurements);
    assert_eq!(
        (grown.changes.len(), grown.more, grown.incomplete),
        (CHANGES_MAX, (NAMES_MAX - CHANGES_MAX) as u64, true)
    );
}

#[test]
fn what_was_not_kept_is_neither_gone_nor_added() {
    let all = |old: &Schema, new: &Schema| {
        let diff = old.changes_to(new);
        diff.changes.len() as u64 + diff.more
    };
    let names = NAMES_MAX as u64;
    let (mut full, mut wide) = (Schema::default(), Schema::default());
    for n in 0..=NAMES_MAX {
        full.add(&format!("m{n:04} f=1"));
        wide.add(&format!("m,t{n:04}=1 f{n:04}=1"));
    }
    // The last ones are there as well; only their names are not known any more.
    let last = schema(&[&format!("m{NAMES_MAX:04} f=1")]);
    assert_eq!((all(&last, &full), all(&full, &last)), (names, names));
    let last = schema(&[&format!("m,t{NAMES_MAX:04}=1 f{NAMES_MAX:04}=1")]);
    assert_eq!((all(&last, &wide), all(&wide, &last)), (2 * names, 2 * names));
}

#[test]
fn json_is_stable() {
    let diff = schema(&["m,t=1 f=1"]).changes_to(&schema(&["m,t=1 f=1i,g=\"\""]));
    let json = serde_json::to_value(&diff).unwrap();
    let expected = serde_json::json!({
        "changes": [
            { "change": "field_type", "measurement": "m", "field": "f", "old": ["float"], "new": ["integer"] },
            { "change": "field_added", "measurement": "m", "field": "g" },
        ],
        "more": 0,
        "incomplete": false,
    });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<SchemaChanges>(json).unwrap(), diff);
}

proptest! {
    /// Whatever a line holds, taking it in neither panics nor forgets what was there.
    #[test]
    fn any_text_can_be_taken_in(text in "(?s).{0,60}", start in "[a-z]{1,3}(,[a-z]=[a-z])? ") {
        let mut schema = schema(&["m f=1"]);
        schema.add(&text);
        schema.add(&format!("{start}{text}"));
        prop_assert!(schema.measurements["m"].fields.contains_key("f"));
        prop_assert!(schema.changes_to(&schema.clone()).is_empty());
    }
}
