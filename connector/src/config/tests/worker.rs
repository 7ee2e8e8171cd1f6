//! The worker's settings.

use super::*;

fn worker(
    file: &[(&str, &str)],
    env: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Checked<WorkerConfig>, Problems> {
    WorkerConfig::check_with(&map(file), map(env), &map(flags), &Fixed(&[("PASS", "hunter2")]))
}

#[test]
fn nothing_given_is_every_default() {
    let Checked { config, warnings } = worker(&[], &[], &[]).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(listening(&config), ["127.0.0.1:8083"]);
    assert_eq!((config.state_dir.as_ref(), config.plugin_path.len(), config.client.len()), (None, 0, 0));
    assert_eq!(config.group_prefix, "connect-");
    assert_eq!(config.shutdown_timeout, Duration::from_secs(5));
    let missing = config.bootstrap_servers().unwrap_err();
    assert!(missing.to_string().starts_with("bootstrap.servers: is missing"));
}

#[test]
fn flags_outweigh_environment_and_environment_the_file() {
    let file = [("bootstrap.servers", "file:1"), ("state.dir", "/file"), ("plugin.path", "/a, /b")];
    let env = [("SLUICE_BOOTSTRAP_SERVERS", "env:1"), ("SLUICE_STATE_DIR", "/env"), ("HOME", "/root")];
    let config = worker(&file, &env, &[("bootstrap.servers", "flag:1")]).unwrap().config;
    assert_eq!(config.bootstrap_servers(), Ok("flag:1"));
    assert_eq!(config.state_dir, Some(PathBuf::from("/env")));
    assert_eq!(config.plugin_path, [PathBuf::from("/a"), PathBuf::from("/b")]);
}

#[test]
fn environment_names_every_key_without_ambiguity() {
    let plain = keys::WORKER.iter().map(|key| key.name).filter(|name| !name.ends_with('*'));
    for name in plain.chain(kafka::client_properties()) {
        // What cannot be named this way must be one of librdkafka's few with an underscore, none of which may be set as text here.
        assert!(!name.contains(['_', '-']) || name == "log_level", "{name}");
    }
    for key in keys::WORKER {
        let variable = format!("SLUICE_{}", key.name.to_ascii_uppercase().replace('.', "_"));
        assert!(!environment::is_of_connector(&variable), "{variable}");
    }
    let policy = worker(&[], &[("SLUICE_CONNECTOR_CLIENT_CONFIG_OVERRIDE_POLICY", "nonsense")], &[]).unwrap_err();
    assert!(policy.to_string().contains("connector.client.config.override.policy"), "{policy}");
    let env = [
        ("SLUICE_TASK_SHUTDOWN_GRACEFUL_TIMEOUT_MS", "1"),
        ("SLUICE_SECURITY_PROTOCOL", "SASL_SSL"),
        ("SLUICE_SASL_MECHANISM", "PLAIN"),
        ("SLUICE_SASL_USERNAME", "u"),
        ("SLUICE_SASL_PASSWORD", "p"),
        ("SLUICE_TEST_KAFKA", "x"),
        ("SLUICE_LOG_LEVEL", "info"),
        ("SLUICE_CONNECTOR_NAME", "x"),
        ("SLUICE_CONECTOR_NAME", "x"),
    ];
    let Checked { config, warnings } = worker(&[], &env, &[]).unwrap();
    assert_eq!(config.shutdown_timeout, Duration::from_millis(1));
    let expected = [
        ("security.protocol", "sasl_ssl"),
        ("sasl.mechanisms", "PLAIN"),
        ("sasl.username", "u"),
        ("sasl.password", "p"),
    ];
    assert_eq!(config.client, map(&expected));
    assert_eq!(warnings.iter().map(|warning| warning.key.as_str()).collect::<Vec<_>>(), ["SLUICE_CONECTOR_NAME"]);
}

#[test]
fn a_key_with_a_row_of_its_own_is_not_taken_for_one_of_connects_family() {
    let set = [("metrics.listeners", "http://127.0.0.1:9404"), ("metrics.recording.level", "INFO")];
    let Checked { warnings, .. } = worker(&set, &[], &[]).unwrap();
    assert_eq!(warnings.iter().map(|warning| warning.key.as_str()).collect::<Vec<_>>(), ["metrics.recording.level"]);
}

#[test]
fn a_problem_says_where_its_value_came_from() {
    let problems = worker(&[], &[("SLUICE_LISTENERS", "ftp://h:1")], &[]).unwrap_err();
    let said = "listeners=ftp://h:1 (from SLUICE_LISTENERS): only http and https are spoken here";
    assert_eq!(problems.to_string(), said);
}

#[test]
fn mistakes_are_told_all_at_once() {
    let file = [
        ("bootstrap.server", "x:1"),
        ("listener", "http://:1"),
        ("listeners", "http://h:70000"),
        ("task.shutdown.graceful.timeout.ms", "5s"),
        ("sasl.pasword", "hunter2"),
        ("consumer.fetch.min.bytes", "1"),
        ("fetch.min.bytes", "1"),
        ("enable.auto.commit", "true"),
        ("security.protocol", "SASL_PLAINTEXT"),
        ("config.providers.file.param.allowed.paths", "/etc"),
    ];
    let problems = worker(&file, &[], &[]).unwrap_err();
    let text = problems.to_string();
    let mut expected: Vec<&str> = file.iter().map(|(key, _)| *key).filter(|key| *key != "security.protocol").collect();
    expected.extend(["sasl.mechanism", "sasl.password", "sasl.username"]);
    expected.sort_unstable();
    assert_eq!(problems.problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), expected, "{text}");
    assert!(text.contains("bootstrap.server: unknown key, did you mean bootstrap.servers?"), "{text}");
    assert!(text.contains("listener: unknown key, did you mean listeners?"), "{text}");
    assert!(text.contains("sasl.pasword: unknown key, did you mean sasl.password?"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_connect_worker_file_is_taken_with_warnings() {
    let file = [
        ("bootstrap.servers", "k1:9092,k2:9092"),
        ("group.id", "connect-cluster"),
        ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
        ("key.converter.schemas.enable", "false"),
        ("offset.storage.topic", "connect-offsets"),
        ("offset.flush.interval.ms", "10000"),
        ("rest.advertised.host.name", "here"),
        ("config.providers", "env"),
    ];
    let Checked { config, warnings } = worker(&file, &[], &[]).unwrap();
    assert_eq!(config.client, map(&[("bootstrap.servers", "k1:9092,k2:9092")]));
    assert_eq!(warnings.len(), 6);
}

#[test]
fn listeners_take_all_interfaces_and_port_zero() {
    let file =
        [("listeners", "http://:8083, HTTP://[::1]:0,http://localhost:1/"), ("rest.auth.allow.anonymous", "true")];
    let config = worker(&file, &[], &[]).unwrap().config;
    assert_eq!(listening(&config), ["0.0.0.0:8083", "[::1]:0", "localhost:1"]);
    for bad in ["", "8083", "http://h", "http://h:x", "http://a b:1"] {
        let result = worker(&[("listeners", bad)], &[], &[]);
        if bad.is_empty() {
            assert_eq!(listening(&result.unwrap().config), ["127.0.0.1:8083"]);
        } else {
            assert_eq!(wrong(result), ["listeners"], "{bad}");
        }
    }
}

fn listening(config: &WorkerConfig) -> Vec<&str> {
    config.listeners.main.iter().map(|listener| listener.address.as_str()).collect()
}

#[test]
fn client_secrets_are_not_in_debug() {
    let file = [
        ("security.protocol", "sasl_ssl"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.jaas.config", "org.x.ScramLoginModule required username=\"u\" password=\"${env:PASS}\";"),
    ];
    let Checked { config, warnings } = worker(&file, &[], &[]).unwrap();
    assert_eq!((config.client["sasl.password"].as_str(), warnings.len()), ("hunter2", 0));
    assert!(!format!("{config:?}").contains("hunter2"));
}
