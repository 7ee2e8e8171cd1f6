//! A port that leads to a server, and does to what passes what a network can do.
//!
//! It has a thread and a runtime of its own and ends, with every connection, when it is dropped.

mod frames;
mod pump;

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{oneshot, watch};

use super::wait::until;

/// A port of 127.0.0.1, and what is done to those who come through it.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
}

/// What is done to every byte from now on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Whatever arrives, in either direction, is held for so long.
    Delay(Duration),
    /// Connections are accepted and requests are taken, but nothing goes on to the server.
    Swallow,
    /// Of a Kafka client, requests of these kinds (`api_key`) are swallowed. Only for [`Proxy::closed_for_kafka`].
    SwallowKafka(&'static [i16]),
    /// Likewise, but they are held until another fault is named, with all that comes behind them.
    HoldKafka(&'static [i16]),
}

/// How far a connection is closed by [`Proxy::half_close`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toward {
    /// The client hears an end, and no answer any more.
    Client,
    /// The server hears the end of the requests.
    Server,
}

/// What connections are told. The counters only grow: a connection acts when one is not what it was at its beginning.
#[derive(Debug, Clone)]
struct Orders {
    fault: Fault,
    cuts: u64,
    ends_toward_client: u64,
    ends_toward_server: u64,
}

#[derive(Debug)]
struct Shared {
    frames: bool,
    orders: watch::Sender<Orders>,
    /// Where the next piece that begins a compressed request is to be damaged.
    damage: Mutex<Option<u32>>,
    damaged: AtomicUsize,
    swallowed: AtomicUsize,
    held: AtomicUsize,
    cut: AtomicUsize,
}

#[derive(Debug)]
struct Running {
    _stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

// === impl Proxy ===

impl Proxy {
    /// A port on which nobody listens until [`Proxy::open`].
    pub(crate) fn closed() -> Self {
        Self::choose(false)
    }

    /// The same for Kafka's protocol, whose requests it can tell apart.
    pub(crate) fn closed_for_kafka() -> Self {
        Self::choose(true)
    }

    /// An open port to `target`, `host:port`.
    pub(crate) fn to(target: &str) -> Self {
        let proxy = Self::closed();
        proxy.open(target);
        proxy
    }

    fn choose(frames: bool) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let orders = Orders { fault: Fault::None, cuts: 0, ends_toward_client: 0, ends_toward_server: 0 };
        let shared = Shared {
            frames,
            orders: watch::Sender::new(orders),
            damage: Mutex::default(),
            damaged: AtomicUsize::new(0),
            swallowed: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            cut: AtomicUsize::new(0),
        };
        Self { port, shared: Arc::new(shared), running: Mutex::default() }
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on connections lead to `target`, `host:port`.
    pub(crate) fn open(&self, target: &str) {
        // While nobody listened the system may have lent the port to a connection of some other test.
        let listener = until("the proxy's port to be free", || TcpListener::bind(("127.0.0.1", self.port)));
        listener.set_nonblocking(true).unwrap();
        let (stop, stopped) = oneshot::channel();
        let (target, shared) = (target.to_owned(), Arc::clone(&self.shared));
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = pump::accept(&listener, &target, &shared) => {}
                    _ = stopped => {}
                }
            });
        });
        let before = self.running.lock().unwrap().replace(Running { _stop: stop, thread });
        assert!(before.is_none(), "the port is open already");
    }

    /// Does this to every byte, until another fault is named.
    pub(crate) fn fault(&self, fault: Fault) {
        let needs_frames = matches!(fault, Fault::SwallowKafka(_) | Fault::HoldKafka(_));
        assert!(self.shared.frames || !needs_frames, "needs Proxy::closed_for_kafka");
        self.shared.orders.send_modify(|orders| orders.fault = fault);
    }

    /// Resets every connection that is open (RST), in both directions.
    pub(crate) fn cut(&self) {
        self.shared.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Ends one direction of every connection that is open; the other goes on.
    pub(crate) fn half_close(&self, toward: Toward) {
        self.shared.orders.send_modify(|orders| match toward {
            Toward::Client => orders.ends_toward_client += 1,
            Toward::Server => orders.ends_toward_server += 1,
        });
    }

    /// Flips one bit in the next piece that begins a compressed HTTP request; `place` says which.
    pub(crate) fn damage_next(&self, place: u32) {
        *self.shared.damage.lock().unwrap() = Some(place);
    }

    /// How many pieces were damaged so far.
    pub(crate) fn damaged(&self) -> usize {
        self.shared.damaged.load(Ordering::Relaxed)
    }

    /// How many requests (Kafka) or pieces of requests were swallowed so far.
    pub(crate) fn swallowed(&self) -> usize {
        self.shared.swallowed.load(Ordering::Relaxed)
    }

    /// How many times requests were held so far.
    pub(crate) fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// How many connections were reset or half closed so far.
    pub(crate) fn num_cut(&self) -> usize {
        self.shared.cut.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(Running { _stop, thread }) = self.running.get_mut().unwrap().take() {
            drop(_stop);
            let ended = thread.join();
            // A failure inside must not pass unseen, nor hide the test's own.
            assert!(thread::panicking() || ended.is_ok(), "the proxy panicked");
        }
    }
}
