//! A **scripted** InfluxDB: an HTTP server that plays the answers of InfluxDB 2 and 3 as their sources and documentation record them.
//!
//! It stands in because no package of InfluxDB 2 or 3 is to be had that a test could start; whoever has a server points the tests at that.
//! What it is sure about: paths, parameters, credentials, gzip, statuses, bodies, which lines of a bad batch are stored, and that
//! a point written again is the same point. What it does not have: shards, retention, limits of cardinality, speed.
//! The mode [`ScriptedInflux::v1`] exists for faults that a real InfluxDB 1 can't be made to show on demand.
//!
//! The server has a thread and a runtime of its own, so that tests may be async or not, and ends when it is dropped.

mod answers;
mod store;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use tokio::sync::oneshot;

use self::answers::{Profile, Write};
pub(crate) use self::store::{Points, Value};

/// A running scripted server.
pub(crate) struct ScriptedInflux {
    url: String,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// An answer that a test asks for in the place of the server's own.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    stores: bool,
    hangs: bool,
}

/// What the server has seen and stored so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Write requests that arrived, whatever was answered.
    pub(crate) writes: usize,
    /// Of these, how many were compressed.
    pub(crate) gzipped: usize,
    /// Lines in bodies that were answered with success.
    pub(crate) lines: usize,
    /// The statuses answered to writes, in order.
    pub(crate) statuses: Vec<u16>,
    /// TCP connections accepted.
    pub(crate) connections: usize,
    store: store::Store,
}

struct Shared {
    /// Goes up when the answers that hang are let go.
    released: tokio::sync::watch::Sender<u64>,
    profile: Profile,
    state: Mutex<Scene>,
    changed: Condvar,
}

#[derive(Default)]
struct Scene {
    seen: Seen,
    next: VecDeque<Scripted>,
    always: Option<Scripted>,
    /// The answer to bodies that hold these words.
    when: Option<(String, Scripted)>,
    larger_than: Option<usize>,
}

// === impl ScriptedInflux ===

impl ScriptedInflux {
    /// An InfluxDB 1 with one database, and no users.
    pub(crate) fn v1(database: &str) -> Self {
        Self::start(Profile::V1 { database: database.to_owned() })
    }

    /// An InfluxDB 2 with one organisation, one bucket and one token.
    pub(crate) fn v2(org: &str, bucket: &str, token: &str) -> Self {
        Self::start(Profile::V2 { org: org.to_owned(), bucket: bucket.to_owned(), token: token.to_owned() })
    }

    /// An InfluxDB 3 with one token. A write creates the database it names; [`ScriptedInflux::points`] are those of `database`.
    pub(crate) fn v3(database: &str, token: &str) -> Self {
        Self::start(Profile::V3 { database: database.to_owned(), token: token.to_owned() })
    }

    fn start(profile: Profile) -> Self {
        let shared = Arc::new(Shared {
            released: tokio::sync::watch::Sender::new(0),
            profile,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let counted = Arc::clone(&served);
                let listener = listener.tap_io(move |stream| {
                    stream.set_nodelay(true).unwrap();
                    counted.change(|scene| scene.seen.connections += 1);
                });
                let app = Router::new().fallback(answer).with_state(served);
                tokio::select! {
                    served = async { axum::serve(listener, app).await } => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { url, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// For `influx.url`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Gives these answers to the next writes, one each, before its own again.
    pub(crate) fn answer_next(&self, answers: impl IntoIterator<Item = Scripted>) {
        self.shared.change(|scene| scene.next.extend(answers));
    }

    /// Gives this answer to every write (after those of [`ScriptedInflux::answer_next`]) until called with `None`.
    pub(crate) fn answer_always(&self, answer: Option<Scripted>) {
        self.shared.change(|scene| scene.always = answer);
    }

    /// Gives this answer to every write that holds `words` (and is not compressed).
    pub(crate) fn answer_when(&self, words: &str, answer: Scripted) {
        self.shared.change(|scene| scene.when = Some((words.to_owned(), answer)));
    }

    /// Answers 413 to larger bodies.
    pub(crate) fn refuse_larger_than(&self, bytes: usize) {
        self.shared.change(|scene| scene.larger_than = Some(bytes));
    }

    /// Stores lines with timestamps in nanoseconds.
    pub(crate) fn store(&self, lines: &str) {
        self.shared.change(|scene| self.shared.profile.store(&mut scene.seen.store, lines));
    }

    /// Gives the answers that hang now, late.
    pub(crate) fn release(&self) {
        self.shared.released.send_modify(|count| *count += 1);
    }

    /// What is stored: series → timestamp in nanoseconds → fields.
    pub(crate) fn points(&self) -> Points {
        self.shared.lock().seen.store.points(self.shared.profile.place())
    }

    /// Looks at what was seen.
    pub(crate) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.shared.lock().seen)
    }

    /// Waits until what was seen fulfils the condition; panics, with what was seen, if it does not within `limit`.
    pub(crate) fn wait_until(&self, limit: Duration, condition: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + limit;
        let mut scene = self.shared.lock();
        while !condition(&scene.seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not within {limit:?}: {:?}", scene.seen);
            scene = self.shared.changed.wait_timeout(scene, left).unwrap().0;
        }
    }
}

impl Drop for ScriptedInflux {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        // A failure inside the server must not pass unseen, nor hide the test's own.
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the scripted server panicked");
    }
}

// === impl Scripted ===

impl Scripted {
    /// This status and body; nothing is stored.
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), stores: false, hangs: false }
    }

    /// An answer that comes when it is released, if ever; nothing is stored.
    pub(crate) fn hang() -> Self {
        Self { hangs: true, ..Self::new(204, "") }
    }

    /// With this header.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Stores the points all the same: an acknowledgement that is lost on its way.
    #[must_use]
    pub(crate) fn but_store(mut self) -> Self {
        self.stores = true;
        self
    }
}

// === the server ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Scene> {
        self.state.lock().unwrap()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Scene) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.notify_all();
        changed
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path();
    let write = Write { query: parts.uri.query().unwrap_or_default(), headers: &parts.headers, body: &body };
    if parts.method == "POST" && path == shared.profile.write_path() {
        let mut released = shared.released.subscribe();
        let (response, hangs) = shared.change(|scene| scene.write(&shared.profile, &write));
        if hangs {
            released.changed().await.unwrap();
        }
        return response;
    }
    match path {
        "/ping" => shared.profile.ping(&write),
        _ => shared.profile.respond(404, "404 page not found\n"),
    }
}

impl Scene {
    /// The answer to a write, and whether it is held back for ever.
    fn write(&mut self, profile: &Profile, write: &Write<'_>) -> (Response, bool) {
        let too_large = self.larger_than.is_some_and(|most| write.body.len() > most);
        let too_large = too_large.then(|| Scripted::new(413, "{\"error\":\"Request Entity Too Large\"}"));
        let holds = |words: &str| write.body.windows(words.len()).any(|window| window == words.as_bytes());
        let when = self.when.as_ref().filter(|(words, _)| holds(words)).map(|(_, answer)| answer.clone());
        let scripted = self.next.pop_front().or_else(|| self.always.clone()).or(too_large).or(when);
        self.seen.writes += 1;
        self.seen.gzipped += usize::from(write.headers.contains_key("content-encoding"));
        let (response, hangs) = match scripted {
            None => (profile.write(write, &mut self.seen.store), false),
            Some(scripted) => {
                if scripted.stores {
                    profile.write(write, &mut self.seen.store);
                }
                let with_headers = scripted.headers.into_iter();
                let response =
                    with_headers.fold(profile.respond(scripted.status, &scripted.body), |mut response, header| {
                        response.headers_mut().insert(header.0, header.1.parse().unwrap());
                        response
                    });
                (response, scripted.hangs)
            }
        };
        self.seen.statuses.push(response.status().as_u16());
        if response.status().is_success() && !hangs {
            self.seen.lines += write.lines();
        }
        (response, hangs)
    }
}
