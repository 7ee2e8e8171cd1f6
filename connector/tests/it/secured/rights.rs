//! Brokers that let us in and keep a topic from us: the task is held, names the topic and the right, and goes on by itself once it has it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

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

/// What a right is about, and which one it is, by their numbers in Kafka's protocol.
#[derive(Debug, Clone, Copy)]
enum Right {
    ReadTopic = 0x02_03,
    WriteTopic = 0x02_04,
    CreateTopic = 0x02_05,
    ReadGroup = 0x03_03,
}

/// Gives ann a right: a request `CreateAcls` of version 1, which no client that the tests have can send
/// (<https://kafka.apache.org/protocol#The_Messages_CreateAcls>).
fn grant(kafka: &OwnKafka, right: Right, name: &str) {
    let text = |text: &str| [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
    let [resource, operation] = (right as u16).to_be_bytes();
    let (literal, allow) = (3, 3);
    let mut request = [&30_u16.to_be_bytes()[..], &1_u16.to_be_bytes(), &7_u32.to_be_bytes(), &text("rights")].concat();
    request.extend([&1_u32.to_be_bytes()[..], &[resource], &text(name), &[literal]].concat());
    request.extend([&text("User:ann")[..], &text("*"), &[operation, allow]].concat());
    let mut broker = TcpStream::connect(kafka.address()).unwrap();
    broker.write_all(&(request.len() as u32).to_be_bytes()).unwrap();
    broker.write_all(&request).unwrap();
    // Length, correlation, pause, number of results, and the first one's error.
    let mut answer = [0; 18];
    broker.read_exact(&mut answer).unwrap();
    assert_eq!((&answer[4..8], &answer[16..]), (&7_u32.to_be_bytes()[..], &[0, 0][..]), "{answer:?}");
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
    grant(&kafka, Right::ReadTopic, &topic.name);
    grant(&kafka, Right::ReadGroup, &format!("connect-{}", connector.name));
    sluice.until("the alarm about dead letters", |sluice| held(sluice, &[&letters.name, "WRITE"]));
    grant(&kafka, Right::CreateTopic, &letters.name);
    grant(&kafka, Right::WriteTopic, &letters.name);
    sluice.until("everything to be committed", |_| topic.group(&connector.name).at_end());
    sluice.until("readiness", Sluice::ready);
    sluice.stop();
    database.points().assert_equal(&topic.expected());
    assert_eq!(letters.all().len(), 1);
}
