//! A connector's settings.

use super::*;
use crate::config::keys::{CONNECTOR, Effect, Fallback};

type Settings = &'static [(&'static str, &'static str)];

#[test]
fn least_config_has_every_default_of_the_design() {
    let Checked { config, warnings } = check(&[]).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.raw, with(&[]));
    assert_eq!(config.name, "prices");
    assert_eq!(config.tasks_max.get(), 1);
    assert_eq!(config.topics, Topics::List(vec!["crypto".to_owned()]));
    assert_eq!(config.transform.module, ModuleRef::Builtin("split-concat".to_owned()));
    assert_eq!(config.transform.settings, []);
    assert_eq!(config.transform.memory_max_bytes, 64 << 20);
    assert_eq!(config.transform.timeout, Duration::from_millis(1000));
    assert_eq!(config.influx.url, "http://localhost:8086");
    assert_eq!(config.influx.version, VersionSetting::Auto);
    assert_eq!(config.influx.database.as_deref(), Some("markets"));
    assert_eq!(config.influx.compression, Compression::Auto);
    assert_eq!(config.influx.request_timeout, Duration::from_secs(30));
    assert_eq!(config.influx.connect_timeout, Duration::from_secs(5));
    assert_eq!((config.influx.tls_ca_location, config.influx.tls_insecure), (None, false));
    assert_eq!(config.batch.max_lines.get(), 10_000);
    assert_eq!(config.batch.max_bytes.get(), 4 << 20);
    assert_eq!(config.batch.linger, Duration::ZERO);
    assert_eq!(config.batch.requests_in_flight, RequestsInFlight::Auto);
    assert_eq!(config.tiebreak, Tiebreak::Offset);
    assert_eq!(config.offset_flush_interval, Duration::from_secs(5));
    assert_eq!((config.consumer.len(), config.producer.len()), (0, 0));
}

#[test]
fn every_setting_reaches_its_field() {
    let Checked { config, warnings } = check(&[
        ("tasks.max", "3"),
        ("topics", " a, b ,"),
        ("transform.module", "/opt/t.wasm"),
        ("transform.config.separator", " "),
        ("transform.memory.max.bytes", "2000000"),
        ("transform.timeout.ms", "7"),
        ("influx.url", "HTTPS://influx.example:8086/proxy/"),
        ("influx.version", "2"),
        ("influx.org", "acme"),
        ("influx.bucket", "ticks"),
        ("influx.token", "t0k"),
        ("influx.database", ""),
        ("influx.compression", "gzip"),
        ("influx.request.timeout.ms", "900"),
        ("influx.connect.timeout.ms", "800"),
        ("influx.tls.ca.location", "/ca.pem"),
        ("batch.max.lines", "5"),
        ("batch.max.bytes", "2048"),
        ("linger.ms", "9"),
        ("requests.in.flight", "4"),
        ("timestamp.tiebreak", "NONE"),
        ("offset.flush.interval.ms", "250"),
        ("consumer.override.fetch.min.bytes", "10"),
    ])
    .unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.tasks_max.get(), 3);
    assert_eq!(config.topics, Topics::List(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(config.transform.module, ModuleRef::Path(PathBuf::from("/opt/t.wasm")));
    assert_eq!(config.transform.settings, [("separator".to_owned(), " ".to_owned())]);
    assert_eq!((config.transform.memory_max_bytes, config.transform.timeout), (2_000_000, Duration::from_millis(7)));
    assert_eq!(config.influx.url, "https://influx.example:8086/proxy");
    assert_eq!(config.influx.version, VersionSetting::Fixed(Product::V2));
    assert_eq!((config.influx.org.as_deref(), config.influx.bucket.as_deref()), (Some("acme"), Some("ticks")));
    assert_eq!((config.influx.token.unwrap().reveal(), config.influx.database), ("t0k", None));
    assert_eq!(config.influx.compression, Compression::Gzip);
    assert_eq!(config.influx.request_timeout, Duration::from_millis(900));
    assert_eq!(config.influx.connect_timeout, Duration::from_millis(800));
    assert_eq!(config.influx.tls_ca_location, Some(PathBuf::from("/ca.pem")));
    assert_eq!((config.batch.max_lines.get(), config.batch.max_bytes.get()), (5, 2048));
    assert_eq!(config.batch.linger, Duration::from_millis(9));
    assert_eq!(config.batch.requests_in_flight, RequestsInFlight::Fixed(NonZeroUsize::new(4).unwrap()));
    assert_eq!(config.tiebreak, Tiebreak::None);
    assert_eq!(config.offset_flush_interval, Duration::from_millis(250));
    assert_eq!(config.consumer, map(&[("fetch.min.bytes", "10")]));
}

#[test]
fn five_mistakes_are_five_problems_at_once() {
    let result = check(&[
        ("tasks.max", "zero"),
        ("influx.url", "localhost:8086"),
        ("influx.databas", "x"),
        ("batch.max.bytes", "4MiB"),
        ("timestamp.tiebreak", "key"),
    ]);
    let problems = result.unwrap_err();
    let text: Vec<String> = problems.to_string().lines().map(str::to_owned).collect();
    assert_eq!(
        text,
        [
            "batch.max.bytes=4MiB: is not a plain number (the unit is in the key's name); allowed: a whole number from 1024 to 268435456",
            "influx.databas: unknown key, did you mean influx.database?",
            "influx.url=localhost:8086: has no scheme: begin with http:// or https://",
            "tasks.max=zero: is not a whole number; allowed: a whole number from 1 to 1000",
            "timestamp.tiebreak=key: is not one of the words it can be; allowed: offset, none",
        ]
    );
}

#[test]
fn an_empty_map_names_all_that_is_required() {
    let result = ConnectorConfig::check_with(&BTreeMap::new(), &Fixed(&[]));
    assert_eq!(wrong(result), ["influx.database", "influx.url", "name", "topics", "transform.module"]);
}

#[test]
fn misspelt_keys_of_ours_are_errors_and_strangers_warnings() {
    let cases = [
        ("influx.pasword", "influx.password"),
        ("Influx.URL", "influx.url"),
        ("transform.modul", "transform.module"),
        ("transforms.module", "transform.module"),
        ("batch.max.line", "batch.max.lines"),
        ("error.tolerance", "errors.tolerance"),
        ("errors.tolerence", "errors.tolerance"),
        ("timestamp.tie.break", "timestamp.tiebreak"),
        ("request.in.flight", "requests.in.flight"),
        ("linger.millis", "linger.ms"),
        ("liger.ms", "linger.ms"),
    ];
    for (misspelt, meant) in cases {
        let problems = check(&[(misspelt, "hunter2")]).unwrap_err();
        assert_eq!(problems.to_string(), format!("{misspelt}: unknown key, did you mean {meant}?"));
    }
    let text: Vec<String> = check(&[("task.max", "2"), ("io.confluent.metadata", "x")])
        .unwrap()
        .warnings
        .iter()
        .map(Problem::to_string)
        .collect();
    assert_eq!(
        text,
        [
            "io.confluent.metadata: unknown key, has no effect",
            "task.max: unknown key, did you mean tasks.max? It has no effect"
        ]
    );
}

#[test]
fn what_has_no_effect_is_refused_or_warned_of_but_never_swallowed() {
    assert_eq!(wrong(check(&[("transform.module", "sha256:00ff")])), ["transform.module"]);
    assert_eq!(wrong(check(&[("transforms", "a"), ("transforms.a.type", "X")])), ["transforms"]);
    for key in CONNECTOR.iter().filter(|key| key.effect == Effect::Framework) {
        let name = key.name.replace(".*", ".client.id");
        let value = if let Fallback::Value(value) = key.fallback { value } else { "x" };
        assert_eq!(warned(check(&[(&name, value)])), [name]);
    }
    let silent = [
        ("errors.tolerance", "none"),
        ("errors.deadletterqueue.topic.name", " "),
        ("transforms", ""),
        ("connector.class", "InfluxSink"),
    ];
    assert_eq!(warned(check(&silent)), [] as [&str; 0]);
    for class in crate::plugins::ALIASES {
        assert_eq!(warned(check(&[("connector.class", class)])), [] as [&str; 0]);
    }
}

#[test]
fn errors_are_as_kafka_connect_has_them() {
    const TOPIC: &str = "errors.deadletterqueue.topic.name";
    const HEADERS: &str = "errors.deadletterqueue.context.headers.enable";
    let errors = |settings: Settings| check(settings).unwrap().config.errors;
    let defaults = ErrorsConfig {
        tolerate: false,
        dead_letters: None,
        retry_timeout: Some(Duration::ZERO),
        retry_delay_max: Duration::from_secs(60),
        log: false,
        log_messages: false,
        restart: None,
        budget: None,
    };
    assert_eq!(errors(&[]), defaults);
    let letters = errors(&[(TOPIC, "dlq"), (HEADERS, "True")]).dead_letters.unwrap();
    assert_eq!(letters, DeadLettersConfig { topic: "dlq".into(), replication_factor: 3, context_headers: true });
    assert_eq!(errors(&[("errors.retry.timeout", "-1")]).retry_timeout, None);
    let restart = errors(&[("errors.restart.backoff.ms", "500")]).restart.unwrap();
    assert_eq!((restart.backoff, restart.max), (Duration::from_millis(500), Duration::from_secs(300)));
    let budget = errors(&[("errors.budget.max", "5"), ("errors.budget.window.ms", "1000")]).budget.unwrap();
    assert_eq!((budget.max.get(), budget.window), (5, Duration::from_secs(1)));

    assert!(errors(&[("errors.tolerance", "all")]).discards());
    assert!(!errors(&[("errors.tolerance", "all"), (TOPIC, "dlq")]).discards());
    assert_eq!(warned(check(&[("errors.tolerance", "ALL")])), ["errors.tolerance"]);
    assert_eq!(warned(check(&[(TOPIC, "dlq")])), [TOPIC], "nobody will know why a record is there");
    assert_eq!(warned(check(&[(TOPIC, "dlq"), (HEADERS, "true"), ("errors.tolerance", "all")])), [] as [&str; 0]);
    assert_eq!(warned(check(&[(HEADERS, "true")])), [HEADERS]);
    assert_eq!(warned(check(&[("producer.override.acks", "1")])), ["producer.override.*"]);
    assert_eq!(wrong(check(&[(TOPIC, "a b")])), [TOPIC]);
    assert_eq!(wrong(check(&[("topics", "a, prices"), (TOPIC, "prices")])), [TOPIC], "it would go round for ever");
    for (pattern, takes) in
        [("pri.*", true), ("[[:alpha:]]+|x", true), ("pri", false), ("x|price", false), ("((p{255}){255}){255}", false)]
    {
        let settings = with(&[("topics", ""), ("topics.regex", pattern), (TOPIC, "prices")]);
        let result = ConnectorConfig::check_with(&settings, &Fixed(&[]));
        assert_eq!(result.is_err_and(|problems| problems.problems[0].key == TOPIC), takes, "{pattern}");
    }
}

#[test]
fn keys_that_depend_on_each_other_are_checked_together() {
    let cases: &[(Settings, &str)] = &[
        (&[("topics.regex", "c.*")], "topics.regex"),
        (&[("topics", "")], "topics"),
        (&[("topics", "a,b,a")], "topics"),
        (&[("topics", "a b")], "topics"),
        (&[("topics", "^a")], "topics"),
        (&[("topics", ","), ("topics.regex", "")], "topics"),
        (&[("topics", ""), ("topics.regex", "a(b")], "topics.regex"),
        (&[("topics", ""), ("topics.regex", "\\d+")], "topics.regex"),
        (&[("name", " ")], "name"),
        (&[("name", "a\u{7}b")], "name"),
        (&[("influx.version", "1"), ("influx.database", "")], "influx.database"),
        (&[("influx.version", "3"), ("influx.database", "")], "influx.database"),
        (&[("influx.version", "2"), ("influx.org", "o")], "influx.bucket"),
        (&[("influx.version", "2"), ("influx.bucket", "b")], "influx.org"),
        (&[("influx.database", "")], "influx.database"),
        (&[("influx.bucket", "b")], "influx.org"),
        (&[("influx.username", "u")], "influx.password"),
        (&[("influx.password", "p")], "influx.username"),
        (&[("influx.token", "abc\n")], "influx.token"),
        (&[("influx.url", "ftp://h")], "influx.url"),
        (&[("influx.url", "http://u:p@h")], "influx.url"),
        (&[("influx.url", "http://h?db=x")], "influx.url"),
        (&[("influx.url", "http://h/write")], "influx.url"),
        (&[("influx.url", "http://h:0")], "influx.url"),
        (&[("influx.url", "http://::1:8086")], "influx.url"),
        (&[("influx.url", "http:///x")], "influx.url"),
        (&[("batch.max.bytes", "1023")], "batch.max.bytes"),
        (&[("transform.module", "https://h/m.wasm")], "transform.module"),
        (&[("transform.module", "builtin:")], "transform.module"),
        (&[("transform.config.", "x")], "transform.config."),
        (&[("connector.class", "FileStreamSink")], "connector.class"),
    ];
    for (settings, key) in cases {
        assert_eq!(wrong(check(settings)), [*key], "{settings:?}");
    }
    for url in ["http://[::1]:8086", "https://h", "http://a-b.c_d:1/x/y"] {
        assert_eq!(check(&[("influx.url", url)]).unwrap().config.influx.url, url);
    }
}

#[test]
fn options_without_effect_in_their_company_are_warned_of() {
    let cases: &[(Settings, &[&str])] = &[
        (&[("influx.tls.insecure", "true")], &["influx.tls.insecure"]),
        (&[("influx.tls.insecure", "false")], &[]),
        (&[("influx.tls.ca.location", "/c")], &["influx.tls.ca.location"]),
        (&[("influx.url", "https://h"), ("influx.tls.insecure", "true")], &["influx.tls.insecure"]),
        (&[("influx.version", "3"), ("influx.retention.policy", "r")], &["influx.retention.policy"]),
        (&[("influx.version", "1"), ("influx.token", "t")], &[]),
        (&[("influx.version", "2"), ("influx.org", "o"), ("influx.bucket", "b")], &["influx.database", "influx.token"]),
        (&[("influx.version", "3"), ("batch.max.bytes", "20000000")], &["batch.max.bytes"]),
        (&[("influx.request.timeout.ms", "10")], &[]),
        (&[("influx.connect.timeout.ms", "40000")], &["influx.connect.timeout.ms"]),
    ];
    for (settings, keys) in cases {
        assert_eq!(warned(check(settings)), *keys, "{settings:?}");
    }
}

#[test]
fn product_found_later_is_held_against_what_is_there() {
    let config = check(&[]).unwrap().config.influx;
    assert_eq!(config.for_product(Product::V1), Ok(()));
    assert_eq!(config.for_product(Product::V3), Ok(()));
    let said = config.for_product(Product::V2).unwrap_err();
    assert_eq!(said, "the server at http://localhost:8086 is InfluxDB 2, which needs influx.org and influx.bucket");
}

#[test]
fn secrets_are_in_no_output() {
    let secrets = [
        ("influx.username", "${env:USER}"),
        ("influx.password", "${env:PASS}"),
        ("influx.token", "hunter3"),
        ("transform.config.api", "${env:PASS}"),
        ("consumer.override.sasl.password", "hunter4"),
        ("consumer.override.sasl.jaas.config", "org.x.PlainLoginModule required username=u password=hunter5;"),
        ("producer.override.ssl.key.pem", "hunter6"),
    ];
    let resolver = Fixed(&[("USER", "hunter1"), ("PASS", "hunter2")]);
    let mut map = with(&secrets[..5]);
    let config = ConnectorConfig::check_with(&map, &resolver).unwrap().config;
    assert_eq!(config.influx.password.as_ref().unwrap().reveal(), "hunter2");
    assert_eq!(config.raw["influx.password"], "${env:PASS}");
    let mut shown = format!("{:?} {:?} {}", config.raw.keys(), config.transform, config.influx.token.as_ref().unwrap());
    shown += &format!("{config:?}").replace("hunter1", ""); // the user's name is no secret
    map.extend(super::map(&secrets));
    map.extend(super::map(&[
        ("tasks.max", "${env:PASS}"),
        ("influx.url", "http://u:hunter7@h?p=hunter8"),
        ("influx.pasword", "hunter9"),
        ("consumer.override.sasl.pasword", "hunter10"),
        ("influx.version", "x${env:PASS}"),
    ]));
    let problems = ConnectorConfig::check_with(&map, &resolver).unwrap_err();
    assert_eq!(problems.problems.len(), 6, "{problems}");
    shown += &format!("{problems} {problems:?}");
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(shown.contains("tasks.max=${env:PASS}: is not a whole number"), "{shown}");
}

/// Found by fuzzing: a password may hold `${…}` by chance, and an unknown key may be a misspelt one of a password.
#[test]
fn what_looks_like_a_placeholder_in_a_secret_is_not_repeated() {
    let Checked { warnings, .. } =
        check(&[("influx.token", "a${hunter1:b}"), ("transform.config.url", "http://u:${hunter2:b}@h")]).unwrap();
    assert_eq!(warnings.len(), 2);
    let problems = check(&[("influx.pasword", "hunter3${env:GONE}")]).unwrap_err();
    let worker = super::map(&[("consumer.sasl.pasword", "hunter4")]);
    let worker = WorkerConfig::check_with(&worker, [], &BTreeMap::new(), &Fixed(&[])).unwrap_err();
    let shown = format!("{warnings:?} {problems} {problems:?} {worker} {worker:?}");
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn placeholders_that_lead_nowhere_are_problems_and_strange_ones_stay() {
    let problems = check(&[("influx.token", "${env:GONE}")]).unwrap_err();
    assert_eq!(problems.to_string(), "influx.token: GONE is not there");
    // What cannot be looked up is one problem, not also a missing password.
    assert_eq!(wrong(check(&[("influx.username", "u"), ("influx.password", "${env:GONE}")])), ["influx.password"]);
    let Checked { config, warnings } = check(&[("influx.database", "a${vault:x}b${c")]).unwrap();
    assert_eq!(config.influx.database.as_deref(), Some("a${vault:x}b${c"));
    assert_eq!(warnings.len(), 1);
}
