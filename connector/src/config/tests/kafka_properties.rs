//! Java's names and librdkafka's.

use super::*;
use crate::config::kafka::{Role, translate};

fn translated(role: Role, pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let (done, problems) = translate(role, "", &map(pairs));
    assert_eq!(problems, [], "{pairs:?}");
    done
}

fn refused(role: Role, pairs: &[(&str, &str)]) -> String {
    let (_, problems) = translate(role, "consumer.override.", &map(pairs));
    assert_eq!(problems.len(), 1, "{pairs:?}: {problems:?}");
    problems[0].to_string()
}

#[test]
fn java_names_and_values_become_librdkafkas() {
    let cases = [
        ("fetch.max.wait.ms", "5", "fetch.wait.max.ms", "5"),
        ("max.partition.fetch.bytes", "5", "fetch.message.max.bytes", "5"),
        ("request.timeout.ms", "500", "socket.timeout.ms", "500"),
        ("receive.buffer.bytes", "65536", "socket.receive.buffer.bytes", "65536"),
        ("send.buffer.bytes", "-1", "socket.send.buffer.bytes", "0"),
        ("connections.max.idle.ms", "540000", "connections.max.idle.ms", "540000"),
        ("reconnect.backoff.ms", "50", "reconnect.backoff.ms", "50"),
        ("security.protocol", "SASL_SSL", "security.protocol", "sasl_ssl"),
        ("sasl.mechanism", "SCRAM-SHA-256", "sasl.mechanisms", "SCRAM-SHA-256"),
        ("auto.offset.reset", "none", "auto.offset.reset", "error"),
        ("isolation.level", "READ_UNCOMMITTED", "isolation.level", "read_uncommitted"),
        ("ssl.endpoint.identification.algorithm", "", "ssl.endpoint.identification.algorithm", "none"),
        (
            "partition.assignment.strategy",
            "org.apache.kafka.clients.consumer.RangeAssignor, roundrobin",
            "partition.assignment.strategy",
            "range,roundrobin",
        ),
        ("ssl.truststore.certificates", "-----BEGIN", "ssl.ca.pem", "-----BEGIN"),
        ("ssl.keystore.location", "/k.p12", "ssl.keystore.location", "/k.p12"),
        ("group.id", "mine", "group.id", "mine"),
        ("fetch.queue.backoff.ms", "2", "fetch.queue.backoff.ms", "2"),
        ("metadata.broker.list", "h:1", "bootstrap.servers", "h:1"),
        ("bootstrap.servers", "PLAINTEXT://h:1, [::1]:2", "bootstrap.servers", "PLAINTEXT://h:1, [::1]:2"),
    ];
    for (java, value, twin, expected) in cases {
        assert_eq!(translated(Role::Consumer, &[(java, value)]), map(&[(twin, expected)]));
    }
    let producer =
        [("acks", "all"), ("buffer.memory", "33554432"), ("max.request.size", "2000"), ("request.timeout.ms", "9")];
    let expected = [
        ("request.required.acks", "-1"),
        ("queue.buffering.max.kbytes", "32768"),
        ("message.max.bytes", "2000"),
        ("request.timeout.ms", "9"),
    ];
    assert_eq!(translated(Role::Producer, &producer), map(&expected));
}

#[test]
fn pem_stores_become_locations() {
    let java = [
        ("ssl.truststore.location", "/ca.pem"),
        ("ssl.truststore.type", "PEM"),
        ("ssl.keystore.location", "/me.pem"),
        ("ssl.keystore.type", "pem"),
    ];
    let expected =
        [("ssl.ca.location", "/ca.pem"), ("ssl.certificate.location", "/me.pem"), ("ssl.key.location", "/me.pem")];
    assert_eq!(translated(Role::Client, &java), map(&expected));
    assert!(
        refused(Role::Client, &[("ssl.truststore.location", "/ca.jks")]).contains("export the certificates as PEM")
    );
    assert!(refused(Role::Client, &[("ssl.keystore.location", "/k.JKS")]).contains("-deststoretype PKCS12"));
    assert!(refused(Role::Client, &[("ssl.keystore.type", "PEM")]).contains("no use without ssl.keystore.location"));
}

#[test]
fn jaas_lines_become_user_and_password() {
    let good = [
        (
            r#"org.apache.kafka.common.security.plain.PlainLoginModule required username="al ice" password="a;\"b=c";"#,
            "al ice",
            "a;\"b=c",
        ),
        ("x.ScramLoginModule required username = u password='p' tokenauth=true ;\n", "u", "p"),
    ];
    for (text, user, password) in good {
        assert_eq!(
            translated(Role::Client, &[("sasl.jaas.config", text)]),
            map(&[("sasl.username", user), ("sasl.password", password)])
        );
    }
    let bad = [
        "",
        "PlainLoginModule required username=\"u\" password=\"hunter2\"",
        "PlainLoginModule required username=\"u\" password=\"hunter2;",
        "PlainLoginModule required username=hunter2;",
        "com.sun.Krb5LoginModule required password=hunter2 username=u;",
        "PlainLoginModule required password=hunter2 username=u; Other required;",
        "=;",
    ];
    for text in bad {
        assert!(!refused(Role::Client, &[("sasl.jaas.config", text)]).contains("hunter2"), "{text}");
    }
}

#[test]
fn what_breaks_the_guarantee_or_means_nothing_is_refused_with_the_reason() {
    let cases = [
        ("enable.auto.commit", "false", "cannot be set: offsets are committed only when"),
        ("enable.auto.offset.store", "true", "cannot be set: offsets are stored only when"),
        ("auto.commit.interval.ms", "1", "offset.flush.interval.ms"),
        ("plugin.library.paths", "/x.so", "load code"),
        ("sasl.kerberos.kinit.cmd", "rm", "not built in"),
        ("rebalance_cb", "x", "cannot be set as text"),
        ("max.poll.records", "500", "librdkafka has no such property: records are taken in batches"),
        ("key.deserializer", "x", "as bytes"),
        ("acks", "1", "is a property of producers"),
        ("fetch.min.byte", "1", "did you mean consumer.override.fetch.min.bytes?"),
        ("fetch.min.bytes", "x", "is not a whole number; allowed: a whole number from 1 to 100000000"),
        ("fetch.min.bytes", "0", "is too small"),
        ("check.crcs", "yes", "is not true or false"),
        ("sasl.mechanism", "GSSAPI", "allowed: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
        ("partition.assignment.strategy", "cooperative-sticky,range", "mixes"),
        ("bootstrap.servers", "h:99999", "from 1 to 65535"),
        ("bootstrap.servers", ",", "names no server"),
    ];
    for (name, value, why) in cases {
        let said = refused(Role::Consumer, &[(name, value)]);
        assert!(said.starts_with(&format!("consumer.override.{name}: ")) && said.contains(why), "{said}");
    }
}

#[test]
fn two_names_of_one_property_contradict() {
    let said = refused(Role::Consumer, &[("fetch.message.max.bytes", "1"), ("max.partition.fetch.bytes", "2")]);
    assert!(said.contains("is the same property as consumer.override.fetch.message.max.bytes"), "{said}");
}

#[test]
fn librdkafka_itself_agrees_with_the_table() {
    use crate::config::kafka::is_client_property;
    use crate::config::keys::Kind;
    use crate::config::librdkafka::{Meaning, PROPERTIES};

    let takes = |name: &str, value: &str| rdkafka::ClientConfig::new().set(name, value).create_native_config().is_ok();
    for property in PROPERTIES {
        let name = property.name;
        assert!(is_client_property(name));
        let kind = match property.meaning {
            Meaning::Itself(kind) => kind,
            Meaning::Alias(of) => {
                assert!(PROPERTIES.iter().any(|other| other.name == of && other.scope == property.scope), "{name}");
                continue;
            }
        };
        match kind {
            Kind::Int(low, high) => {
                let answers = [low - 1, low, high, high + 1].map(|number| takes(name, &number.to_string()));
                assert_eq!(answers, [false, true, true, false], "{name}");
            }
            Kind::Bool => assert!(takes(name, "true") && takes(name, "false") && !takes(name, "maybe"), "{name}"),
            Kind::Choice(words) => {
                assert!(words.iter().all(|word| takes(name, word)) && !takes(name, "neither"), "{name}")
            }
            _ if name == "debug" => assert!(takes(name, "broker,fetch")),
            _ if name == "partitioner" => assert!(takes(name, "consistent")),
            // Refused by us: the first exists on Windows only, the second loads what it names.
            _ if ["ssl.ca.certificate.stores", "plugin.library.paths"].contains(&name) => {}
            _ => assert!(takes(name, "x"), "{name}"),
        }
    }
}
