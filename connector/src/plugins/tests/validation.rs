//! What is found wrong. The words are those that a Kafka Connect 4.1 answered with, where it has some.

use super::*;

const NEITHER: &str = "Must configure one of topics or topics.regex";
const BOTH: &str = "topics and topics.regex are mutually exclusive options, but both are set.";
const NULL: &str = "Null value can not be supplied as the configuration value.";
const DEAD_LETTERS: &str = "errors.deadletterqueue.topic.name";

#[test]
fn nothing_is_wrong_with_the_least_there_is() {
    assert_wrong(&with(&[]), &[]);
    let strangers = [
        ("io.confluent.metadata", Some("x")),
        ("connect.progress.enabled", Some("false")),
        ("tasks.max", Some(" 2 ")),
        ("topics", Some(" one , two ")),
        ("errors.log.enable", Some("TRUE")),
        ("key.converter", Some("ByteArray")),
        ("value.converter", Some("org.apache.kafka.connect.json.JsonConverter")),
        ("value.converter.schemas.enable", Some("false")),
        ("header.converter", Some("SimpleHeaderConverter")),
        ("connector.plugin.version", Some("[0,)")),
        ("consumer.override.fetch.min.bytes", Some("5")),
        ("consumer.override.sasl.password", Some("hunter1")),
        ("transform.config.separator", Some(" ")),
    ];
    let given = with(&strangers);
    assert_wrong(&given, &[]);
    let infos = look(&given);
    let value = |name: &str| entry(&infos, name).value.value.clone().unwrap();
    assert_eq!(
        (value("tasks.max"), value("topics"), value("errors.log.enable")),
        ("2".into(), "one,two".into(), "true".into())
    );
    assert_eq!(value("consumer.override.sasl.password"), "[hidden]");
    assert_eq!(value("transform.config.separator"), " ");
    assert_eq!(entry(&infos, "transform.config.separator").definition.group, "Transform");
    let listed = |name: &str| infos.configs.iter().any(|config| config.value.name == name);
    assert!(!listed("io.confluent.metadata") && !listed("connect.progress.enabled"), "as in Connect");
}

#[test]
fn akhq_learns_the_settings_by_a_configuration_of_next_to_nothing() {
    let given = [("connector.class", CLASS), ("topics", "getPlugins")];
    let given: Settings = given.into_iter().map(|(key, value)| (key.to_owned(), Some(value.to_owned()))).collect();
    let infos = validate(CLASS, &given, &NOTHING).unwrap();
    assert_eq!(infos.name, CLASS);
    assert!(infos.configs.iter().all(|config| infos.groups.contains(&config.definition.group)));
    let missing: Vec<&str> = infos
        .configs
        .iter()
        .filter(|config| !config.value.errors.is_empty())
        .map(|config| &*config.value.name)
        .collect();
    assert_eq!(missing, ["name", "transform.module", "influx.url", "influx.database"]);
    let url = &entry(&infos, "influx.url").value;
    assert_eq!(url.errors, ["Missing required configuration \"influx.url\" which has no default value."]);
}

/// Those of Kafka Connect's ConnectorValidationIntegrationTest that have a meaning here.
#[test]
fn error_counts_of_kafka_connects_own_test() {
    let transform = ("transforms", Some("t"));
    for (what, given, count) in [
        ("no topics", without(&["topics"], &[]), 2),
        ("both", with(&[("topics.regex", Some("c.*"))]), 2),
        ("dead letters in topics", with(&[(DEAD_LETTERS, Some("crypto"))]), 1),
        (
            "dead letters match",
            without(&["topics"], &[("topics.regex", Some("r.*")), (DEAD_LETTERS, Some("ruh.roh"))]),
            1,
        ),
        ("duplicate alias", with(&[("transforms", Some("t, t")), ("transforms.t.type", Some("Filter"))]), 1),
        ("no class of a transformation", with(&[transform]), 1),
        ("class of another kind", with(&[transform, ("transforms.t.type", Some("InfluxSink"))]), 1),
        (
            "negated without a predicate",
            with(&[transform, ("transforms.t.type", Some("Filter")), ("transforms.t.negate", Some("true"))]),
            1,
        ),
        (
            "duplicate predicate",
            with(&[("predicates", Some("p,p")), ("predicates.p.type", Some("RecordIsTombstone"))]),
            1,
        ),
        ("no class of a predicate", with(&[("predicates", Some("p"))]), 1),
        ("predicate of another kind", with(&[("predicates", Some("p")), ("predicates.p.type", Some("InfluxSink"))]), 1),
        ("no such converter", with(&[("key.converter", Some("hopefully.no.such.Converter"))]), 1),
        ("converter of another kind", with(&[("value.converter", Some(CLASS))]), 1),
        ("no such header converter", with(&[("header.converter", Some("hopefully.no.such.Converter"))]), 1),
        ("header converter of another kind", with(&[("header.converter", Some(CLASS))]), 1),
        ("no name", without(&["name"], &[]), 1),
    ] {
        assert_eq!(look(&given).error_count, count, "{what}: {:?}", wrong(&given));
    }
}

/// A setting, what is given for it, and what is told of which settings.
type Case = (&'static str, Option<&'static str>, &'static [(&'static str, &'static str)]);

const CONNECTS: &[Case] = &[
    (
        "tasks.max",
        Some("abc"),
        &[
            ("tasks.max", "Invalid value abc for configuration tasks.max: Not a number of type INT"),
            ("tasks.max", "Invalid value null for configuration tasks.max: Value must be non-null"),
        ],
    ),
    (
        "tasks.max",
        Some(""),
        &[
            ("tasks.max", "Invalid value  for configuration tasks.max: Not a number of type INT"),
            ("tasks.max", "Invalid value null for configuration tasks.max: Value must be non-null"),
        ],
    ),
    (
        "tasks.max",
        Some("99999999999"),
        &[
            ("tasks.max", "Invalid value 99999999999 for configuration tasks.max: Not a number of type INT"),
            ("tasks.max", "Invalid value null for configuration tasks.max: Value must be non-null"),
        ],
    ),
    ("tasks.max", Some("0"), &[("tasks.max", "Invalid value 0 for configuration tasks.max: Value must be at least 1")]),
    (
        "tasks.max",
        None,
        &[("tasks.max", "Invalid value null for configuration tasks.max: Value must be non-null"), ("tasks.max", NULL)],
    ),
    (
        "tasks.max.enforce",
        Some("maybe"),
        &[(
            "tasks.max.enforce",
            "Invalid value maybe for configuration tasks.max.enforce: Expected value to be either true or false",
        )],
    ),
    (
        "errors.log.enable",
        Some("x"),
        &[(
            "errors.log.enable",
            "Invalid value x for configuration errors.log.enable: Expected value to be either true or false",
        )],
    ),
    ("errors.log.enable", None, &[("errors.log.enable", NULL)]),
    (
        "errors.retry.timeout",
        Some("1.5"),
        &[(
            "errors.retry.timeout",
            "Invalid value 1.5 for configuration errors.retry.timeout: Not a number of type LONG",
        )],
    ),
    (
        "errors.deadletterqueue.topic.replication.factor",
        Some("many"),
        &[(
            "errors.deadletterqueue.topic.replication.factor",
            "Invalid value many for configuration errors.deadletterqueue.topic.replication.factor: Not a number of type SHORT",
        )],
    ),
    (
        "errors.tolerance",
        Some("ALL"),
        &[(
            "errors.tolerance",
            "Invalid value ALL for configuration errors.tolerance: String must be one of: none, all",
        )],
    ),
    (
        "errors.tolerance",
        None,
        &[
            (
                "errors.tolerance",
                "Invalid value null for configuration errors.tolerance: String must be one of: none, all",
            ),
            ("errors.tolerance", NULL),
        ],
    ),
    (
        "config.action.reload",
        Some("maybe"),
        &[(
            "config.action.reload",
            "Invalid value maybe for configuration config.action.reload: String must be one of: none, restart",
        )],
    ),
    ("name", Some("  "), &[("name", "Invalid value  for configuration name: String may not be empty")]),
    (
        "name",
        Some("d\te\u{7f}"),
        &[(
            "name",
            "Invalid value d\te\u{7f} for configuration name: String may not contain control sequences but had the following ASCII chars: 9, 127",
        )],
    ),
    ("name", None, &[("name", NULL)]),
    ("topics", Some(""), &[("topics", NEITHER), ("topics.regex", NEITHER)]),
    ("topics", None, &[("topics", NEITHER), ("topics", NULL), ("topics.regex", NEITHER)]),
    ("topics.regex", Some("a.*"), &[("topics", BOTH), ("topics.regex", BOTH)]),
    (
        DEAD_LETTERS,
        Some("crypto"),
        &[(
            "topics",
            "The DLQ topic 'crypto' may not be included in the list of topics ('topics=[crypto]') consumed by the connector",
        )],
    ),
    (
        "key.converter",
        Some("NoSuch"),
        &[("key.converter", "Invalid value NoSuch for configuration key.converter: Class NoSuch could not be found.")],
    ),
    (
        "transforms",
        Some("a,a"),
        &[("transforms", "Invalid value [a, a] for configuration transforms: Duplicate alias provided.")],
    ),
    (
        "transforms",
        None,
        &[
            ("transforms", "Invalid value null for configuration transforms: entry must be non null"),
            ("transforms", NULL),
        ],
    ),
    (
        "predicates",
        Some("p"),
        &[("predicates.p.type", "Missing required configuration \"predicates.p.type\" which has no default value.")],
    ),
    ("x.null", None, &[("x.null", NULL)]),
];

#[test]
fn connects_settings_are_judged_in_connects_words() {
    for (key, value, expected) in CONNECTS {
        assert_wrong(&with(&[(*key, *value)]), expected);
    }
    let given = without(&["topics"], &[("topics.regex", Some("t.*")), (DEAD_LETTERS, Some("tx"))]);
    let matched = "The DLQ topic 'tx' may not be matched by the regex for the topics ('topics.regex=t.*') consumed by the connector";
    assert_wrong(&given, &[("topics.regex", matched)]);
    let none =
        format!("Plugin {CLASS} not found that matches the version range [99,99], available versions: [{VERSION}]");
    assert_wrong(
        &with(&[("connector.plugin.version", Some("99"))]),
        &[("connector.class", &none), ("connector.plugin.version", &none)],
    );
    let given = with(&[("connector.plugin.version", Some("["))]);
    assert_wrong(&given, &[("connector.plugin.version", "Invalid version specification: [")]);
}

#[test]
fn our_settings_are_judged_by_our_check_each_in_its_place() {
    for (key, value, error) in [
        (
            "batch.max.bytes",
            "4MiB",
            "Invalid value 4MiB for configuration batch.max.bytes: is not a plain number (the unit is in the key's name); allowed: a whole number from 1024 to 268435456",
        ),
        (
            "tasks.max",
            "5000",
            "Invalid value 5000 for configuration tasks.max: is too large; allowed: a whole number from 1 to 1000",
        ),
        (
            "influx.url",
            "h:1",
            "Invalid value h:1 for configuration influx.url: has no scheme: begin with http:// or https://",
        ),
        (
            "influx.url",
            " ",
            "Invalid value   for configuration influx.url: is blank; allowed: http://host[:port][/prefix], or the same with https",
        ),
        (
            "influx.token",
            "a\n",
            "Invalid value [hidden] for configuration influx.token: holds a line end or another control character, which no header can carry (is it the last line end of a file?)",
        ),
        (
            "influx.version",
            "4",
            "Invalid value 4 for configuration influx.version: is not one of the words it can be; allowed: auto, 1, 2, 3",
        ),
        ("influx.databas", "x", "influx.databas: unknown key, did you mean influx.database?"),
        (
            "topics",
            "a b",
            "Invalid value a b for configuration topics: the 1. name is none that Kafka allows: up to 249 of a-z A-Z 0-9 . _ -",
        ),
        (
            "consumer.override.group.di",
            "x",
            "consumer.override.group.di: no Kafka client has this property, did you mean consumer.override.group.id?",
        ),
        (
            "consumer.override.fetch.min.bytes",
            "some",
            "Invalid value some for configuration consumer.override.fetch.min.bytes: is not a whole number; allowed: a whole number from 1 to 100000000",
        ),
        (
            "producer.override.transactional.id",
            "x",
            "Invalid value x for configuration producer.override.transactional.id: cannot be set: dead letters are not written in transactions",
        ),
    ] {
        assert_wrong(&with(&[(key, Some(value))]), &[(key, error)]);
    }
    let given = with(&[("influx.username", Some("u"))]);
    assert_wrong(&given, &[("influx.password", "influx.password: is missing: influx.username needs it")]);
    let given = with(&[("influx.url", None)]);
    assert_wrong(&given, &[("influx.url", NULL)]);
    let (key, error) = wrong(&with(&[("transforms", Some("t")), ("transforms.t.type", Some("Filter"))])).remove(0);
    assert_eq!(key, "transforms.t.type");
    assert!(
        error.contains("Class Filter could not be found. ") && error.contains("put them into transform.module"),
        "{error}"
    );
    let infos = look(&with(&[("transforms", Some("t"))]));
    assert_eq!(infos.groups[4], "Transforms: t");
    assert_eq!(entry(&infos, "transforms.t.type").definition.group, "Transforms: t");
}

#[test]
fn all_is_told_at_once() {
    let given = without(
        &["topics", "influx.url"],
        &[
            ("tasks.max", Some("0")),
            ("errors.tolerance", Some("some")),
            ("linger.ms", Some("soon")),
            ("topics.regex", Some("a(")),
            ("topics", Some("a b")),
            ("x", None),
        ],
    );
    let keys: Vec<String> = wrong(&given).into_iter().map(|(key, _)| key).collect();
    let expected = [
        "tasks.max",
        "errors.tolerance",
        "topics",
        "topics",
        "topics.regex",
        "topics.regex",
        "influx.url",
        "linger.ms",
        "x",
    ];
    assert_eq!(keys, expected);
}
