//! Brokers that let us in and keep a topic from us: the task is held, names the topic and the right, and goes on by itself once it has it.

use std::path::Path;
use std::process::Command;

use super::Files;
use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::letters::LetterTopic;
use crate::support::own::OwnKafka;
use crate::support::points::{LONG_AGO_MS, Record, feed};
use crate::support::sluice::{Connector, Sluice};

/// A broker that asks ann for a password and lets her do what she has a right to; whoever comes by the other listener may do everything.
fn kafka() -> OwnKafka {
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required user_ann=\"word\";";
    OwnKafka::start(&[
        (
            "listeners",
            "BROKER://127.0.0.1:@PORT@,USERS://127.0.0.1:@EXTRA_PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@",
        ),
        ("advertised.listeners", "BROKER://127.0.0.1:@PORT@,USERS://127.0.0.1:@EXTRA_PORT@"),
        ("listener.security.protocol.map", "BROKER:PLAINTEXT,USERS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"),
        ("listener.name.users.sasl.enabled.mechanisms", "PLAIN"),
        ("listener.name.users.plain.sasl.jaas.config", plain),
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("super.users", "User:ANONYMOUS"),
    ])
}

/// Gives ann a right, by Kafka's own tool.
fn grant(kafka: &OwnKafka, operation: &str, resource: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker/local/services");
    let home = Command::new(script).args(["where", "kafka"]).output().unwrap();
    let jars = format!("{}/lib/*", String::from_utf8(home.stdout).unwrap().trim());
    let mut java = Command::new("java");
    java.args(["-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", &jars, "org.apache.kafka.tools.AclCommand"]);
    java.args(["--bootstrap-server", kafka.address(), "--add", "--allow-principal", "User:ann"]);
    let output = java.args(["--operation", operation]).args(resource).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// `Ok` once the one task is held for a reason with all of these words.
fn held(sluice: &Sluice, words: &[&str]) -> Result<(), String> {
    let (_, health) = sluice.get_json("/health/ready");
    let task = &health["tasks"][0];
    let reason = task["reason"].as_str().unwrap_or_default();
    let is_told = task["state"] == "held" && words.iter().all(|word| reason.contains(word));
    if is_told { Ok(()) } else { Err(health.to_string()) }
}

#[test]
fn a_topic_that_may_not_be_read_is_told_of_and_read_once_it_may() {
    let kafka = kafka();
    let files = Files::new();
    let topic = Topic::create_on(kafka.address(), "rights", 1);
    let letters = LetterTopic::unmade_on(kafka.address(), "rights");
    let database = Database::create("rights");
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    topic.produce(&[Record::other(0, LONG_AGO_MS, Some("bad"))]);
    let connector = Connector::new(&topic, "r").into_database(&database).with_letters(&letters);
    let worker = format!(
        "bootstrap.servers={}\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=ann\nsasl.password=word\n",
        kafka.extra()
    );
    let worker = files.write("worker.properties", &worker);
    let mut sluice = Sluice::start_with(&[&connector], &["--worker", &worker]);
    sluice.until("the alarm", |sluice| held(sluice, &[&topic.name, "READ", "kafka-acls"]));
    grant(&kafka, "READ", &["--topic", &topic.name]);
    grant(&kafka, "READ", &["--group", &format!("connect-{}", connector.name)]);
    sluice.until("the alarm about dead letters", |sluice| held(sluice, &[&letters.name, "WRITE"]));
    grant(&kafka, "CREATE", &["--topic", &letters.name]);
    grant(&kafka, "WRITE", &["--topic", &letters.name]);
    sluice.until("everything to be committed", |_| topic.group(&connector.name).at_end());
    sluice.until("readiness", Sluice::ready);
    sluice.stop();
    database.points().assert_equal(&topic.expected());
    assert_eq!(letters.all().len(), 1);
}
