//! HTTPS: what is served, and certificates that are replaced while the worker runs, as Kubernetes does it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use reqwest::{Certificate, Client, StatusCode};

use super::{address, start};
use crate::secured::{AUTHORITY, CERTIFICATE, EXPIRED, EXPIRED_KEY, KEY};
use crate::support::http;
use crate::support::sluice::Sluice;

/// `GET /connectors` over a new connection, trusting the authority, or everybody.
fn ask(address: &str, trusting: bool) -> Result<StatusCode, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let port = address.rsplit_once(':').unwrap().1;
    let client = Client::builder().no_proxy().tls_danger_accept_invalid_certs(trusting);
    let client = client.tls_certs_only([Certificate::from_pem(AUTHORITY.as_bytes()).unwrap()]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = client.get(format!("https://localhost:{port}/connectors")).send();
    runtime.block_on(request).map(|answer| answer.status()).map_err(|error| format!("{error:?}"))
}

/// Puts other files in the place of those that are there, in one step: the folder that both links lead through is another.
fn publish(folder: &Path, version: &str, certificate: &str, key: &str) {
    let (data, new) = (folder.join(version), folder.join("..new"));
    fs::create_dir(&data).unwrap();
    fs::write(data.join("tls.crt"), certificate).unwrap();
    fs::write(data.join("tls.key"), key).unwrap();
    symlink(version, &new).unwrap();
    fs::rename(new, folder.join("..data")).unwrap();
}

fn alarms(sluice: &Sluice) -> usize {
    sluice.log().matches("what was read before stays in use").count()
}

#[test]
fn https_is_spoken_and_the_certificate_is_taken_anew_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), "..1", EXPIRED, EXPIRED_KEY);
    let files = ["tls.crt", "tls.key"].map(|name| {
        symlink(Path::new("..data").join(name), folder.path().join(name)).unwrap();
        folder.path().join(name).to_str().unwrap().to_owned()
    });
    let mut sluice = start(&[
        ("listeners", "https://127.0.0.1:0"),
        ("listeners.https.certificate.location", &files[0]),
        ("listeners.https.key.location", &files[1]),
    ]);
    let address = address(&mut sluice, "api");
    assert_eq!(ask(&address, true), Ok(StatusCode::OK));
    assert!(ask(&address, false).unwrap_err().contains("xpired"), "the one of the start");
    assert!(http::get(&format!("http://{address}/connectors")).is_err(), "nothing is said without TLS");

    // Key and certificate that do not belong together: the old pair stays.
    publish(folder.path(), "..2", CERTIFICATE, EXPIRED_KEY);
    sluice.until("the alarm", |sluice| if alarms(sluice) == 1 { Ok(()) } else { Err(alarms(sluice)) });
    assert_eq!(ask(&address, true), Ok(StatusCode::OK));
    assert!(ask(&address, false).unwrap_err().contains("xpired"), "still the one of the start");

    publish(folder.path(), "..3", CERTIFICATE, KEY);
    sluice.until("the new certificate", |_| ask(&address, false));
    assert_eq!(alarms(&sluice), 1, "each is told once");
    sluice.stop();
}
