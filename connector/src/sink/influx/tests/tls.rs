//! HTTPS: a private authority, a stranger's certificate, the wrong host, no TLS at all.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::NamedTempFile;

use super::*;

/// An authority made for these tests and a certificate of its for `localhost` (not for 127.0.0.1); both hold for a hundred years and
/// guard nothing.
const AUTHORITY: &str = include_str!("authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("localhost.pem");
const KEY: &[u8] = include_bytes!("localhost.key.pem");

/// A server that ends each TLS connection after a 204. Its thread ends with the process.
fn serve() -> u16 {
    let chain = CertificateDer::pem_slice_iter(CERTIFICATE).collect::<Result<_, _>>().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(KEY).unwrap())
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(session, stream.unwrap());
            // A client that does not trust us ends the handshake here.
            if tls.read(&mut [0; 4096]).is_ok() {
                let _ = tls.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
    });
    port
}

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
