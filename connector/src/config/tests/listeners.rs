//! Listeners: what they are open to, certificates, CORS.

use super::*;

fn checked(file: &[(&str, &str)]) -> Result<Checked<WorkerConfig>, Problems> {
    WorkerConfig::check_with(&map(file), [], &map(&[]), &Fixed(&[]))
}

fn listeners(file: &[(&str, &str)]) -> ListenerConfig {
    checked(file).unwrap().config.listeners
}

fn problems(file: &[(&str, &str)]) -> Vec<String> {
    checked(file).unwrap_err().problems.into_iter().map(|problem| problem.key).collect()
}

fn warnings(file: &[(&str, &str)]) -> Vec<String> {
    checked(file).unwrap().warnings.into_iter().map(|warning| warning.key).collect()
}

const ALL: (&str, &str) = ("listeners", "http://0.0.0.0:8083");
const USERS: (&str, &str) = ("rest.auth.users.file", "users");

#[test]
fn nothing_is_open_to_other_machines_without_users_unless_that_is_said() {
    for open in ["http://:8083", "http://0.0.0.0:1", "http://[::]:1", "http://10.0.0.1:1", "http://h.example:1"] {
        assert_eq!(problems(&[("listeners", open)]), ["listeners"], "{open}");
        assert_eq!(problems(&[("admin.listeners", open)]), ["admin.listeners"], "{open}");
        listeners(&[("listeners", open), ("rest.auth.allow.anonymous", "true")]);
        listeners(&[("listeners", open), USERS]);
        listeners(&[("metrics.listeners", open)]);
    }
    for local in ["http://127.0.0.2:1", "http://[::1]:1", "http://LocalHost:1"] {
        assert!(warnings(&[("listeners", local)]).is_empty(), "{local}");
    }
    let said = checked(&[ALL]).unwrap_err().to_string();
    for word in ["sluice passwd", "rest.auth.users.file", "rest.auth.allow.anonymous=true", "127.0.0.1"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn passwords_in_the_clear_and_settings_without_effect_are_warned_of() {
    assert_eq!(warnings(&[ALL, USERS]), ["listeners"]);
    assert_eq!(warnings(&[USERS, ("rest.auth.allow.anonymous", "true")]), ["rest.auth.allow.anonymous"]);
    let pair = [("listeners.https.certificate.location", "c"), ("listeners.https.key.location", "k")];
    assert_eq!(warnings(&pair), ["listeners.https.certificate.location"]);
}

#[test]
fn https_needs_certificate_and_key() {
    let https = ("listeners", "https://localhost:1, http://localhost:2");
    assert_eq!(problems(&[https]), ["listeners"]);
    let [certificate, key] = [("listeners.https.certificate.location", "c"), ("listeners.https.key.location", "k")];
    assert_eq!(problems(&[https, certificate]), [key.0]);
    assert_eq!(problems(&[https, key]), [certificate.0]);
    let config = listeners(&[https, certificate, key]);
    assert_eq!(config.main.iter().map(|listener| listener.https).collect::<Vec<_>>(), [true, false]);
    assert_eq!(config.certificate, Some(CertificateFiles { certificate: "c".into(), key: "k".into() }));
}

#[test]
fn admin_listeners_may_be_the_same_others_or_none() {
    assert_eq!(listeners(&[]).admin, None);
    assert_eq!(listeners(&[("admin.listeners", "")]).admin, Some(Vec::new()));
    assert_eq!(listeners(&[("admin.listeners", "http://localhost:1")]).admin.unwrap()[0].address, "localhost:1");
    assert_eq!(problems(&[("admin.listeners", "localhost:1")]), ["admin.listeners"]);
}

#[test]
fn cross_origin_settings_are_connects() {
    assert!(listeners(&[]).cross_origin.origins.is_empty());
    let config = listeners(&[("access.control.allow.origin", "HTTP://a.example/, http://b:1")]);
    assert_eq!(config.cross_origin.origins, ["http://a.example", "http://b:1"]);
    assert_eq!(config.cross_origin.methods, ["GET", "POST", "HEAD"]);
    assert_eq!(problems(&[("access.control.allow.origin", "a.example")]), ["access.control.allow.origin"]);
    assert_eq!(problems(&[("access.control.allow.methods", "GET;PUT")]), ["access.control.allow.methods"]);
    assert_eq!(problems(&[("response.http.headers.config", "X-A: 1")]), ["response.http.headers.config"]);
}

#[test]
fn a_misspelt_setting_of_users_is_no_setting_of_connects() {
    assert_eq!(problems(&[("rest.auth.user.file", "users")]), ["rest.auth.user.file"]);
}
