//! The listeners: sockets, TLS, connections and their limits, and the gate that every request passes before the API sees it.
//!
//! | part | does |
//! | --- | --- |
//! | `server/connections.rs` | how many connections there are, which make room |
//! | `server/link.rs` | limits on clients that stop reading or writing |
//! | `server/tls.rs` | certificate and key |
//! | `server/gate.rs` | what a request passes, in its order |
//! | `server/origin.rs` | pages of others |
//! | `server/login.rs`, `server/users.rs`, `server/lockout.rs` | who asks, and whether he may |
//! | `server/reload.rs` | files that are read again when they change |
//!
//! Limits that are no settings: a request's line and headers have at most [`HEADER_BYTES_MAX`] and [`HEADERS_MAX`], hyper answers 431 to more;
//! a TLS handshake takes at most [`HANDSHAKE_TIME`].

mod connections;
pub(crate) mod gate;
mod link;
mod lockout;
mod login;
mod origin;
mod reload;
mod tls;
pub mod users;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use self::connections::{Connections, Place};
use self::gate::{Gate, Scope};
use self::link::{Incoming, Link, Outgoing};
use self::login::Login;
use self::tls::Certificate;
pub use self::tls::CertificateError;
use self::users::{Users, UsersError};
use crate::config::{Limits, ListenAddress, ListenerConfig, OPEN};

/// How long open connections may go on after the stop: an answer under way takes milliseconds, and a page that
/// streams would never end.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// How large the line and the headers of a request may be together.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// How many headers a request may have.
pub const HEADERS_MAX: usize = 100;

/// How much of a connection is read ahead.
const BUFFER_BYTES: usize = 64 * 1024;

/// How long a TLS handshake may take.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long to wait when no connection can be taken, because the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why the listeners can't be opened.
#[derive(Debug, Error)]
pub enum ServerError {
    /// An address can't be used.
    #[error("could not listen on {address}; another process may use it: choose another with `{key}`")]
    Listen {
        /// The address.
        address: String,
        /// The setting that has it.
        key: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
    /// A name turned out to be an address that others can reach.
    #[error("{address} is {found}, which is not of this machine only: {OPEN}")]
    Open {
        /// As it was written.
        address: String,
        /// What it is.
        found: SocketAddr,
    },
    /// A file of the settings can't be read.
    #[error("could not read {} of `{key}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The setting that names it.
        key: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
    /// Certificate or key is wrong.
    #[error("could not use {} and {} (`listeners.https.certificate.location`, `listeners.https.key.location`)", certificate.display(), key.display())]
    Certificate {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        source: CertificateError,
    },
    /// The file of users is wrong.
    #[error("could not use {} of `rest.auth.users.file`", path.display())]
    Users {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: UsersError,
    },
}

/// Opened listeners that serve nothing yet: clients that come meanwhile wait.
#[derive(Debug)]
pub struct Server {
    doors: Vec<Door>,
    limits: Limits,
    /// What watches over files; ends with the server.
    watches: JoinSet<()>,
}

/// What is listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// Where, with the port that the system has chosen.
    pub address: SocketAddr,
    /// `api`, `admin` or `metrics`.
    pub serves: &'static str,
    /// Whether TLS is spoken.
    pub https: bool,
}

/// One listener.
#[derive(Debug)]
struct Door {
    listener: TcpListener,
    listening: Listening,
    certificate: Option<Arc<Certificate>>,
    gate: Arc<Gate>,
}

/// What the connections of one listener share.
#[derive(Clone)]
struct Served {
    gate: Arc<Gate>,
    router: Router,
    limits: Limits,
    stopping: watch::Receiver<bool>,
}

// === impl Server ===

impl Server {
    /// Opens every listener of the settings and reads the files they name.
    ///
    /// # Errors
    ///
    /// If an address can't be used, a file can't be read or used, or other machines could change everything without a password.
    pub async fn bind(config: &ListenerConfig) -> Result<Self, ServerError> {
        let mut watches = JoinSet::new();
        let certificate = certificate(config, &mut watches)?;
        let login = login(config, &mut watches)?;
        let mut server = Self { doors: Vec::new(), limits: config.limits, watches };
        let admin_apart = config.admin.is_some();
        let groups = [
            ("listeners", config.main.as_slice(), Scope::Api { admin: !admin_apart }),
            ("admin.listeners", config.admin.as_deref().unwrap_or_default(), Scope::Admin),
            ("metrics.listeners", config.metrics.as_slice(), Scope::Metrics),
        ];
        for (key, listeners, scope) in groups {
            for wanted in listeners {
                let (listener, address) = open(key, wanted).await?;
                let login = login.clone().filter(|_| scope != Scope::Metrics);
                let is_open = scope != Scope::Metrics && login.is_none() && !config.allow_anonymous;
                if is_open && !address.ip().is_loopback() {
                    return Err(ServerError::Open { address: wanted.address.clone(), found: address });
                }
                let certificate = certificate.clone().filter(|_| wanted.https);
                let gate = Arc::new(Gate::new(scope, address, login, config));
                let listening = Listening { address, serves: scope.word(), https: wanted.https };
                server.doors.push(Door { listener, listening, certificate, gate });
            }
        }
        Ok(server)
    }

    /// A server on a listener that is open already, with the settings that hold when nothing is written.
    pub(crate) fn over(listener: TcpListener) -> io::Result<Self> {
        let nothing = std::collections::BTreeMap::new();
        let config = crate::config::WorkerConfig::check(&nothing, [], &nothing).map_err(io::Error::other)?.config;
        let address = listener.local_addr()?;
        let gate = Arc::new(Gate::open(address, &config.listeners));
        let listening = Listening { address, serves: "api", https: false };
        let doors = vec![Door { listener, listening, certificate: None, gate }];
        Ok(Self { doors, limits: config.listeners.limits, watches: JoinSet::new() })
    }

    /// What is listened on: first those of `listeners`, then those of `admin.listeners`, then those of `metrics.listeners`, each in the order
    /// of the setting.
    pub fn listening(&self) -> Vec<Listening> {
        self.doors.iter().map(|door| door.listening).collect()
    }

    /// Serves until `stop` is done; answers under way are given half a second to finish.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()> + Send) {
        let Self { doors, limits, watches } = self;
        // Extractors of the API ask it how much of a body they may take.
        let router = router.layer(DefaultBodyLimit::max(limits.body_bytes));
        let (stop_all, stopping) = watch::channel(false);
        let mut accepting = JoinSet::new();
        for Door { listener, certificate, gate, .. } in doors {
            let served = Served { gate, router: router.clone(), limits, stopping: stopping.clone() };
            accepting.spawn(accept(listener, certificate, served));
        }
        stop.await;
        stop_all.send_replace(true);
        let all = async { while accepting.join_next().await.is_some() {} };
        // What is left after it is aborted as the sets are dropped.
        let _ = tokio::time::timeout(STOP_GRACE, all).await;
        drop(watches);
    }
}

fn certificate(config: &ListenerConfig, watches: &mut JoinSet<()>) -> Result<Option<Arc<Certificate>>, ServerError> {
    let Some(files) = &config.certificate else { return Ok(None) };
    let contents = reload::read(&Certificate::paths(files)).map_err(|(path, source)| {
        let is_key = path == files.key && path != files.certificate;
        let key = if is_key { "listeners.https.key.location" } else { "listeners.https.certificate.location" };
        ServerError::Read { path, key, source }
    })?;
    let certificate = Certificate::new(files.clone(), &contents).map_err(|source| {
        let (certificate, key) = (files.certificate.clone(), files.key.clone());
        ServerError::Certificate { certificate, key, source }
    })?;
    let certificate = Arc::new(certificate);
    watches.spawn(reload::watch(Arc::<Certificate>::clone(&certificate), contents));
    Ok(Some(certificate))
}

fn login(config: &ListenerConfig, watches: &mut JoinSet<()>) -> Result<Option<Arc<Login>>, ServerError> {
    let Some(path) = &config.users_file else { return Ok(None) };
    let read = |(path, source)| ServerError::Read { path, key: "rest.auth.users.file", source };
    let contents = reload::read(std::slice::from_ref(path)).map_err(read)?;
    let users = Users::of_bytes(&contents.concat());
    let users = users.map_err(|source| ServerError::Users { path: path.clone(), source })?;
    let login = Arc::new(Login::new(path.clone(), users));
    watches.spawn(reload::watch(Arc::<Login>::clone(&login), contents));
    Ok(Some(login))
}

async fn open(key: &'static str, wanted: &ListenAddress) -> Result<(TcpListener, SocketAddr), ServerError> {
    let failed = |source| ServerError::Listen { address: wanted.address.clone(), key, source };
    let listener = TcpListener::bind(&wanted.address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Takes connections until the stop, then waits for those that are left.
async fn accept(listener: TcpListener, certificate: Option<Arc<Certificate>>, served: Served) {
    let connections = Connections::new(served.limits.connections);
    let mut tasks = JoinSet::new();
    let mut stopping = served.stopping.clone();
    let mut stopped = pin!(async move {
        // An error means that the server is gone.
        let _ = stopping.wait_for(|&stop| stop).await;
    });
    loop {
        // One client at a time is at the door; further ones stay in the system's queue while there is no room.
        let next = async {
            let accepted = listener.accept().await?;
            Ok((accepted, connections.place().await))
        };
        let next: io::Result<_> = tokio::select! {
            () = &mut stopped => break,
            next = next => next,
        };
        match next {
            Ok(((stream, client), place)) => {
                tasks.spawn(connection(stream, client, place, certificate.clone(), served.clone()));
            }
            Err(error) if is_clients(&error) => {}
            Err(error) => {
                warn!(%error, "no connection can be taken, trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        // Those that have ended.
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

/// Whether it is about a client that went away again.
fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One connection, from the handshake to its end.
async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    place: Place,
    certificate: Option<Arc<Certificate>>,
    served: Served,
) {
    // An answer is written in one piece; waiting for more of it would only delay it.
    let _ = stream.set_nodelay(true);
    let link = Link::new(stream, served.limits.idle);
    let ended = async {
        match certificate {
            None => speak(link, client, &place, served).await,
            Some(certificate) => {
                let handshake = TlsAcceptor::from(certificate.current()).accept(link);
                match tokio::time::timeout(HANDSHAKE_TIME, handshake).await {
                    Ok(Ok(stream)) => speak(stream, client, &place, served).await,
                    Ok(Err(error)) => debug!(%client, %error, "the TLS handshake failed"),
                    Err(_) => debug!(%client, "the TLS handshake took too long"),
                }
            }
        }
    };
    tokio::select! {
        () = ended => {}
        () = place.gone() => debug!(%client, "an idle connection was closed to make room"),
    }
}

/// Requests of one connection, one after the other.
async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin, client: SocketAddr, place: &Place, served: Served) {
    let Served { gate, router, limits, mut stopping } = served;
    let answer = service_fn(|request: axum::http::Request<hyper::body::Incoming>| {
        let busy = Arc::new(place.busy());
        let (gate, router) = (Arc::clone(&gate), router.clone());
        async move {
            let request = request.map(|body| Body::new(Incoming::new(body, limits.idle)));
            let answer = gate.answer(router, client, request).await;
            Ok::<Response<Outgoing>, Infallible>(answer.map(|body| Outgoing::new(body, busy)))
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(BUFFER_BYTES);
    builder.max_header_size(HEADER_BYTES_MAX).max_headers(HEADERS_MAX);
    let stop = async {
        // An error means that the server is gone.
        let _ = stopping.wait_for(|&stop| stop).await;
    };
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), answer));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        debug!(%client, error = crate::trace(&error), "a connection ended");
    }
}

#[cfg(test)]
mod tests;
