//! Which client properties the policies of a worker let its connectors set, and how policies are written.

use super::*;

const POLICY: &str = "connector.client.config.override.policy";
const LIST: &str = "connector.client.config.override.allowlist";

fn worker(settings: &[(&str, &str)]) -> Result<Checked<WorkerConfig>, Problems> {
    WorkerConfig::check(&map(settings), [], &map(&[]))
}

/// A connector of a worker with these settings.
fn check(rules: &[(&str, &str)], connector: &[(&str, &str)]) -> Result<Checked<ConnectorConfig>, Problems> {
    ConnectorConfig::check_with(&with(connector), &worker(rules).unwrap().config.rules)
}

#[test]
fn each_policy_allows_what_it_is_there_for() {
    const PRINCIPAL: [(&str, &str); 6] = [
        ("security.protocol", "sasl_ssl"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.mechanisms", "PLAIN"),
        ("sasl.username", "u"),
        ("sasl.password", "p"),
        ("sasl.jaas.config", "x.PlainLoginModule required username=\"u\" password=\"p\";"),
    ];
    const OTHERS: [(&str, &str); 3] =
        [("bootstrap.servers", "elsewhere:9092"), ("ssl.ca.location", "/ca"), ("request.timeout.ms", "900")];
    let some = "ssl.ca.location, sasl.mechanism,";
    for (rules, allowed) in [
        (&[][..], vec![PRINCIPAL.as_slice(), &OTHERS]),
        (&[(POLICY, "All")], vec![&PRINCIPAL, &OTHERS]),
        (&[(POLICY, "None")], vec![]),
        (&[(POLICY, "Principal")], vec![&PRINCIPAL]),
        (&[(POLICY, "Allowlist")], vec![]),
        (&[(POLICY, "Allowlist"), (LIST, some)], vec![&PRINCIPAL[1..2], &OTHERS[1..2]]),
    ] {
        let allowed = allowed.concat();
        for property in PRINCIPAL.iter().chain(&OTHERS) {
            let (name, value) = property;
            let key = format!("consumer.override.{name}");
            let result = check(rules, &[(&key, value)]);
            if allowed.contains(property) {
                assert!(result.is_ok(), "{rules:?} {name}: {result:?}");
            } else {
                let problem = result.unwrap_err().to_string();
                let told = format!("policy does not allow '{name}' to be overridden in the connector configuration.");
                assert!(problem.starts_with(&key) && problem.contains(&told), "{rules:?} {name}: {problem}");
            }
        }
    }
}

#[test]
fn a_refusal_says_which_policy_and_what_it_allows() {
    let allows = |rules: &[(&str, &str)]| {
        let problem = check(rules, &[("consumer.override.fetch.min.bytes", "5")]).unwrap_err();
        problem.to_string()
    };
    assert_eq!(
        allows(&[(POLICY, "None")]),
        "consumer.override.fetch.min.bytes=5: The 'None' policy does not allow 'fetch.min.bytes' to be overridden in the connector \
         configuration. (The worker's connector.client.config.override.policy allows: none)"
    );
    let list = allows(&[(POLICY, "Allowlist"), (LIST, "group.id,fetch.max.bytes")]);
    assert!(list.contains("The 'Allowlist' policy") && list.contains("allows: fetch.max.bytes, group.id)"), "{list}");
}

#[test]
fn names_count_as_they_are_written() {
    let rules = [(POLICY, "Allowlist"), (LIST, "request.timeout.ms")];
    let given = [("consumer.override.socket.timeout.ms", "900"), ("consumer.override.Request.timeout.ms", "900")];
    let mut keys = wrong(check(&rules, &given));
    keys.sort_unstable();
    assert_eq!(keys, ["consumer.override.Request.timeout.ms", "consumer.override.socket.timeout.ms"]);
}

#[test]
fn what_is_allowed_has_to_be_right_all_the_same() {
    let rules = [(POLICY, "Allowlist"), (LIST, "enable.auto.commit,fetch.min.bytes")];
    let given = [("consumer.override.enable.auto.commit", "true"), ("consumer.override.fetch.min.bytes", "x")];
    assert_eq!(wrong(check(&rules, &given)), given.map(|(key, _)| key));
}

#[test]
fn what_is_for_dead_letters_is_looked_at_where_there_are_some() {
    let rules = [(POLICY, "None")];
    let given = [("admin.override.retries", "1"), ("producer.override.linger.ms", "1")];
    assert!(check(&rules, &given).is_ok());
    let letters = [("errors.tolerance", "all"), ("errors.deadletterqueue.topic.name", "letters")];
    assert_eq!(wrong(check(&rules, &[&given[..], &letters].concat())), given.map(|(key, _)| key));
    assert!(check(&[], &[&given[..], &letters].concat()).is_ok());
}

#[test]
fn a_misspelt_password_is_not_shown() {
    let told = check(&[(POLICY, "None")], &[("consumer.override.sasl.pasword", "hunter2")]).unwrap_err();
    assert!(told.to_string().contains("sasl.pasword") && !format!("{told:?}").contains("hunter2"), "{told:?}");
}

#[test]
fn policies_may_be_named_by_connects_classes() {
    let policy =
        |name: &str| worker(&[(POLICY, name), (LIST, "group.id")]).map(|checked| checked.config.rules.overrides);
    let list = OverridePolicy::Allowlist(std::sync::Arc::new(["group.id".to_owned()].into()));
    for (name, meant) in [
        ("All", OverridePolicy::All),
        ("None", OverridePolicy::None),
        ("Principal", OverridePolicy::Principal),
        ("Allowlist", list),
    ] {
        let class = format!("{name}ConnectorClientConfigOverridePolicy");
        let full = format!("org.apache.kafka.connect.connector.policy.{class}");
        for written in [name.to_owned(), name.to_ascii_lowercase(), class, full] {
            assert_eq!(policy(&written), Ok(meant.clone()), "{written}");
        }
    }
    for foreign in ["Some", "com.example.AllConnectorClientConfigOverridePolicy", "ConnectorClientConfigOverridePolicy"]
    {
        let problems = policy(foreign).unwrap_err().to_string();
        assert!(problems.starts_with(POLICY) && problems.contains("Principal, Allowlist"), "{problems}");
    }
}

#[test]
fn a_list_that_comes_to_nothing_is_worth_a_warning() {
    assert_eq!(warned(worker(&[(LIST, "group.id")])), [LIST]);
    assert_eq!(warned(worker(&[(POLICY, "Allowlist"), (LIST, "group.id,gruop.id")])), [LIST]);
    assert!(warned(worker(&[(POLICY, "Allowlist"), (LIST, "group.id,max.poll.records")])).is_empty());
}

#[test]
fn more_settings_than_anybody_needs_are_refused() {
    let filled = |count: usize| {
        let mut settings = with(&[]);
        let missing = count - settings.len();
        settings.extend((0..missing).map(|at| (format!("transform.config.{at}"), "x".to_owned())));
        ConnectorConfig::check_with(&settings, &Fixed(&[]))
    };
    assert!(filled(2000).is_ok());
    let told = filled(2001).unwrap_err().to_string();
    assert!(told.contains("2001 settings are more than the 2000"), "{told}");
}
