//! HTTPS: a private authority, a stranger's certificate, the wrong host, no TLS at all.

use std::io::Write as _;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::*;
use crate::http::testing::{CERTIFICATE, serve_tls as serve};

/// The authority of [`serve`]'s certificate.
const AUTHORITY: &str = include_str!("authority.pem");

fn authority_file() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(AUTHORITY.as_bytes()).unwrap();
    file
}

async fn write(url: &str, ca: Option<PathBuf>, insecure: bool) -> Verdict {
    let config = InfluxConfig { tls_ca_location: ca, tls_insecure: insecure, ..v1(url) };
    client(&config).write(Product::V1, Bytes::from("m f=1 1\n")).await
}

#[tokio::test]
async fn a_private_authority_is_trusted_if_named_and_only_for_its_host() {
    let (port, ca) = (serve(), authority_file());
    let ca = || Some(ca.path().to_owned());
    assert_eq!(write(&format!("https://localhost:{port}"), ca(), false).await, Verdict::Done);
    let Verdict::Configuration { reason } = write(&format!("https://127.0.0.1:{port}"), ca(), false).await else {
        panic!()
    };
    assert!(reason.contains("the server's certificate is not accepted"), "{reason}");
    assert!(reason.contains("check the host in influx.url"), "{reason}");
    assert_eq!(
        write(&format!("https://127.0.0.1:{port}"), None, true).await,
        Verdict::Done,
        "unless it is not checked"
    );
}

#[tokio::test]
async fn an_unknown_authority_is_a_matter_of_configuration() {
    // Another authority than the server's: the server's own certificate, which is none.
    let mut stranger = NamedTempFile::new().unwrap();
    stranger.write_all(CERTIFICATE).unwrap();
    let verdict = write(&format!("https://localhost:{}", serve()), Some(stranger.path().to_owned()), false).await;
    let Verdict::Configuration { reason } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("name its authority in influx.tls.ca.location"), "{reason}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart_from_an_outage() {
    let plain = Server::start(&[]).await;
    let url = plain.url.replace("http:", "https:");
    let verdict = write(&url, Some(authority_file().path().to_owned()), false).await;
    let Verdict::Configuration { reason } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("should influx.url begin with http://?"), "{reason}");
}

#[test]
fn a_file_without_certificates_is_refused() {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"not a certificate").unwrap();
    let config = InfluxConfig { tls_ca_location: Some(file.path().to_owned()), ..v1("https://h") };
    let error = InfluxClient::new(&config, "c").unwrap_err().to_string();
    assert!(error.starts_with(&format!("influx.tls.ca.location: {} is no PEM file", file.path().display())), "{error}");
}
