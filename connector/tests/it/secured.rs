//! TLS by a private authority and passwords, on both sides: right, everything arrives; wrong, the task is held and says what to change,
//! nothing is lost, and it goes on by itself once it is mended.

mod rights;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::own::{OwnInflux, OwnKafka};
use crate::support::points::feed;
use crate::support::sluice::{Connector, Sluice};

/// An authority and a certificate of its for `localhost` (not for 127.0.0.1), and another one that expired in 2002 and is its own
/// authority. They guard nothing.
pub(crate) const AUTHORITY: &str = include_str!("../../src/sink/influx/tests/authority.pem");
pub(crate) const CERTIFICATE: &str = include_str!("../../src/sink/influx/tests/localhost.pem");
pub(crate) const KEY: &str = include_str!("../../src/sink/influx/tests/localhost.key.pem");
pub(crate) const EXPIRED: &str = include_str!("secured/expired.pem");
pub(crate) const EXPIRED_KEY: &str = include_str!("secured/expired.key.pem");

const DOCUMENTATION: &str = include_str!("../../../docs/SECURITY.md");

/// Mechanism, name and password.
type User<'a> = (&'a str, &'a str, &'a str);

/// Files that end with the test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// A broker with a listener for SASL_SSL, PLAIN (ann) and SCRAM-SHA-512 (bob), that shows the certificate in the file `store`.
fn kafka(store: &str) -> OwnKafka {
    let listeners =
        "BROKER://127.0.0.1:@PORT@,SECURE://127.0.0.1:@EXTRA_PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@";
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required user_ann=\"ann's word\";";
    let properties = [
        ("listeners", listeners),
        ("advertised.listeners", "BROKER://127.0.0.1:@PORT@,SECURE://localhost:@EXTRA_PORT@"),
        ("listener.security.protocol.map", "BROKER:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT"),
        ("listener.name.secure.sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-512"),
        ("listener.name.secure.plain.sasl.jaas.config", plain),
        (
            "listener.name.secure.scram-sha-512.sasl.jaas.config",
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        ),
        ("listener.name.secure.ssl.keystore.type", "PEM"),
        ("listener.name.secure.ssl.keystore.location", store),
    ];
    OwnKafka::start_with_users(&properties, "SCRAM-SHA-512=[name=bob,password=bobs-word]")
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

/// An example of the documentation, with what is real in the place of what is made up.
fn example(number: usize, replaced: &[(&str, &str)]) -> String {
    let text = DOCUMENTATION.split("```properties\n").nth(number).unwrap().split("```").next().unwrap().to_owned();
    replaced.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in the example: {text}");
        text.replace(from, to)
    })
}

/// The worker's file.
fn worker(files: &Files, bootstrap: &str, (mechanism, user, password): User<'_>, ca: &str) -> String {
    let secrets = files.write("secrets.properties", &format!("kafka.password={password}\n"));
    let replaced = [
        ("kafka.example:9093", bootstrap),
        ("/etc/sluice/kafka-ca.pem", ca),
        ("SCRAM-SHA-512", mechanism),
        ("username=sluice", &format!("username={user}")),
        ("/etc/sluice/secrets.properties", &secrets),
    ];
    // The broker of the test listens to IPv4 only.
    files.write("worker.properties", &[&example(1, &replaced), "broker.address.family=v4\n"].concat())
}

/// Waits until the task is held with all of `words` in the reason.
#[track_caller]
fn held(sluice: &mut Sluice, words: &[&str]) {
    sluice.until(&format!("the alarm with {words:?}"), |sluice| match sluice.get_json("/health/ready") {
        (503, health)
            if health["tasks"][0]["state"] == "held"
                && words.iter().all(|word| health["tasks"][0]["reason"].to_string().contains(word)) =>
        {
            Ok(())
        }
        other => Err(other),
    });
}

fn arrives(mut sluice: Sluice, topic: &Topic, connector: &Connector) {
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.until("readiness", Sluice::ready);
    sluice.stop();
}

#[test]
fn a_broker_that_refuses_us_holds_the_task_and_says_what_to_check() {
    let files = Files::new();
    let store = files.write("store.pem", &[KEY, CERTIFICATE].concat());
    let (ca, stranger) = (files.write("ca.pem", AUTHORITY), files.write("stranger.pem", EXPIRED));
    let kafka = kafka(&store);
    let topic = Topic::create_on(kafka.address(), "secured", 2);
    topic.produce(&feed(1_000, 100, |number| ((number % 2) as i32, "BTC-USD")));
    let database = Database::create("secured");
    let (by_name, by_address) = (format!("localhost:{}", port(kafka.extra())), kafka.extra().to_owned());
    let (ann, bob) = (("PLAIN", "ann", "ann's word"), ("SCRAM-SHA-512", "bob", "bobs-word"));

    for (name, user) in [("plain", ann), ("scram", bob)] {
        let connector = Connector::new(&topic, name).into_database(&database);
        let sluice = Sluice::start_with(&[&connector], &["--worker", &worker(&files, &by_name, user, &ca)]);
        arrives(sluice, &topic, &connector);
        database.points().assert_equal(&topic.expected());
    }

    let wrong: [(&str, &str, User<'_>, &str, &[&str]); 4] = [
        ("word", &by_name, ("PLAIN", "ann", "another"), &ca, &["uthentication failed", "sasl.password", &by_name]),
        ("words", &by_name, ("SCRAM-SHA-512", "bob", "another"), &ca, &["uthentication failed", "sasl.password"]),
        ("authority", &by_name, ann, &stranger, &["certificate verify failed", "ssl.ca.location"]),
        ("host", &by_address, ann, &ca, &["certificate verify failed", "another host", "bootstrap.servers"]),
    ];
    for (name, bootstrap, user, ca, words) in wrong {
        let connector = Connector::new(&topic, name).into_database(&database);
        let mut sluice = Sluice::start_with(&[&connector], &["--worker", &worker(&files, bootstrap, user, ca)]);
        held(&mut sluice, words);
        assert_eq!(sluice.get("/health/live").status, 200, "a restart would not help");
        assert_eq!(topic.group(&connector.name).committed().values().sum::<i64>(), 0);
        sluice.stop();
    }
}

#[test]
fn an_expired_broker_certificate_holds_the_task_until_it_is_replaced() {
    let files = Files::new();
    let store = files.write("store.pem", &[EXPIRED_KEY, EXPIRED].concat());
    let kafka = kafka(&store);
    let topic = Topic::create_on(kafka.address(), "expired", 2);
    topic.produce(&feed(1_000, 100, |number| ((number % 2) as i32, "BTC-USD")));
    let database = Database::create("expired");
    let ca = files.write("ca.pem", &[AUTHORITY, EXPIRED].concat());
    let bootstrap = format!("localhost:{}", port(kafka.extra()));
    let connector = Connector::new(&topic, "e").into_database(&database);
    let worker = worker(&files, &bootstrap, ("SCRAM-SHA-512", "bob", "bobs-word"), &ca);
    let mut sluice = Sluice::start_with(&[&connector], &["--worker", &worker]);
    held(&mut sluice, &["certificate verify failed", "has expired", &bootstrap]);

    files.write("store.pem", &[KEY, CERTIFICATE].concat());
    kafka.kill();
    kafka.restart();
    arrives(sluice, &topic, &connector);
    database.points().assert_equal(&topic.expected());
}

/// An InfluxDB with HTTPS and passwords; the certificate is in `certificate.pem` and `key.pem`.
struct Secured {
    influx: OwnInflux,
    url: String,
}

impl Secured {
    fn start(files: &Files) -> Self {
        let (certificate, key) = (files.path("certificate.pem"), files.path("key.pem"));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (certificate, key) = (text(&certificate), text(&key));
        let influx = OwnInflux::start(&[
            ("INFLUXDB_HTTP_HTTPS_ENABLED", "true"),
            ("INFLUXDB_HTTP_HTTPS_CERTIFICATE", &certificate),
            ("INFLUXDB_HTTP_HTTPS_PRIVATE_KEY", &key),
            ("INFLUXDB_HTTP_AUTH_ENABLED", "true"),
        ]);
        let url = format!("https://localhost:{}", port(influx.url()));
        Self { influx, url }
    }

    /// A statement of the administrator.
    fn query(&self, statement: &str) -> String {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build().unwrap();
        let url = format!("{}/query", self.influx.url());
        let form = format!("epoch=ns&db=prices&q={}", crate::support::http::encode(statement));
        let request = http.post(format!("{url}?{form}")).basic_auth("root", Some("root's word"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{statement}");
            answer.text().await.unwrap()
        })
    }

    fn prepare(&self) {
        self.query("CREATE USER root WITH PASSWORD 'root''s word' WITH ALL PRIVILEGES".replace("''", "\\'").as_str());
        self.query("CREATE DATABASE prices");
        self.query("CREATE USER eve WITH PASSWORD 'first'");
        self.query("GRANT WRITE ON prices TO eve");
    }

    /// Field and time of each point, with its value.
    fn points(&self) -> crate::support::points::Points {
        let answer: serde_json::Value = serde_json::from_str(&self.query("SELECT * FROM cryptos")).unwrap();
        let series = &answer["results"][0]["series"][0];
        let name = series["columns"][1].as_str().unwrap_or_default().to_owned();
        let mut points = crate::support::points::Points::default();
        let rows = series["values"].as_array().into_iter().flatten();
        points.extend(rows.map(|row| ((name.clone(), row[0].as_i64().unwrap()), row[1].as_f64().unwrap())));
        points
    }
}

fn topic(test: &str) -> Topic {
    let topic = Topic::create(test, 2);
    topic.produce(&feed(1_000, 100, |number| ((number % 2) as i32, "BTC-USD")));
    topic
}

/// Writes into `url`, with the password in the file `secrets`.
fn into(connector: Connector, url: &str, secrets: &str, ca: &str) -> Connector {
    let replaced = [
        ("https://influx.example:8086", url),
        ("/etc/sluice/influx-ca.pem", ca),
        ("username=sluice", "username=eve"),
        ("/etc/sluice/secrets.properties", secrets),
    ];
    example(2, &replaced).lines().fold(connector, |connector, line| {
        let (key, value) = line.split_once('=').unwrap();
        connector.set(key, value)
    })
}

#[test]
fn an_influxdb_with_https_and_a_password_gets_everything_and_a_changed_password_is_read_again() {
    let files = Files::new();
    let ca = files.write("ca.pem", AUTHORITY);
    files.write("certificate.pem", CERTIFICATE);
    files.write("key.pem", KEY);
    let secured = Secured::start(&files);
    secured.prepare();
    let topic = topic("https");
    let secrets = files.write("secrets.properties", "influx.password=first\n");
    let connector = into(Connector::new(&topic, "h"), &secured.url, &secrets, &ca);
    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    secured.points().assert_equal(&topic.expected());

    secured.query("SET PASSWORD FOR eve = 'second'");
    topic.produce(&feed(500, 100, |number| ((number % 2) as i32, "BTC-USD")));
    held(&mut sluice, &["401", "influx.password"]);
    assert!(group.at_end().is_err());
    files.write("secrets.properties", "influx.password=second\n");
    arrives(sluice, &topic, &connector);
    secured.points().assert_equal(&topic.expected());
}

#[test]
fn certificates_of_influxdb_that_are_not_accepted_hold_the_data_until_they_are() {
    let files = Files::new();
    let ca = files.write("ca.pem", EXPIRED);
    files.write("certificate.pem", EXPIRED);
    files.write("key.pem", EXPIRED_KEY);
    let secured = Secured::start(&files);
    secured.prepare();
    let topic = topic("certificates");
    let secrets = files.write("secrets.properties", "influx.password=first\n");
    let connector = into(Connector::new(&topic, "c"), &secured.url, &secrets, &ca);
    let mut sluice = Sluice::start(&[&connector]);
    held(&mut sluice, &["certificate", "expired"]);

    files.write("certificate.pem", CERTIFICATE);
    files.write("key.pem", KEY);
    secured.influx.kill();
    secured.influx.restart();
    held(&mut sluice, &["certificate", "influx.tls.ca.location"]);
    let address = secured.url.replace("localhost", "127.0.0.1");
    let elsewhere = into(Connector::new(&topic, "w"), &address, &secrets, &files.write("right.pem", AUTHORITY));
    let mut misled = Sluice::start(&[&elsewhere]);
    held(&mut misled, &["certificate", "check the host in influx.url"]);
    misled.stop();

    files.write("ca.pem", AUTHORITY);
    arrives(sluice, &topic, &connector);
    secured.points().assert_equal(&topic.expected());
}
