//! The connections of a proxy: bytes from one side to the other, and what is ordered on their way.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::frames::Frames;
use super::{Fault, Orders, Shared, Toward};

/// Bytes that are read at once.
const PIECE_MAX: usize = 64 * 1024;

/// What stands in a piece that may be damaged. A damaged price in a plain body is just another price, which no server can notice; gzip
/// has a checksum.
const DAMAGEABLE: &[u8] = b"content-encoding: gzip";

/// One side of a connection. The second handle is for closing one direction of it.
struct Side {
    stream: TcpStream,
    handle: std::net::TcpStream,
}

/// Takes connections for ever; they end with this future.
pub(super) async fn accept(listener: &TcpListener, target: &str, shared: &Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (target, shared) = (target.to_owned(), Arc::clone(shared));
        connections.spawn(async move {
            // What can't go on is told to the client by its connection's end.
            let _ = carry(client, &target, &shared).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(client: TcpStream, target: &str, shared: &Shared) -> io::Result<()> {
    let mut orders = shared.orders.subscribe();
    let cuts = orders.borrow().cuts;
    let (client, server) = (Side::new(client)?, Side::new(TcpStream::connect(target).await?)?);
    tokio::select! {
        () = async { tokio::join!(
            pump(&client, &server, Toward::Server, shared),
            pump(&server, &client, Toward::Client, shared),
        ); } => {}
        _ = orders.wait_for(|orders| orders.cuts != cuts) => {
            client.stream.set_zero_linger()?;
            server.stream.set_zero_linger()?;
            shared.cut.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Carries one direction until its source ends or it is ordered to. Then the other side hears an end.
async fn pump(from: &Side, to: &Side, toward: Toward, shared: &Shared) {
    let mut orders = shared.orders.subscribe();
    let begun = orders.borrow().ends(toward);
    let mut ended = orders.clone();
    tokio::select! {
        _ = carry_on(from, to, toward, shared, &mut orders) => {}
        _ = ended.wait_for(|orders| orders.ends(toward) != begun) => {
            shared.cut.fetch_add(1, Ordering::Relaxed);
        }
    }
    // It may be gone already.
    let _ = to.handle.shutdown(Shutdown::Write);
}

async fn carry_on(
    from: &Side,
    to: &Side,
    toward: Toward,
    shared: &Shared,
    orders: &mut watch::Receiver<Orders>,
) -> io::Result<()> {
    let mut frames = Frames::default();
    let mut buffer = vec![0; PIECE_MAX];
    loop {
        let len = from.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        let fault = orders.borrow_and_update().fault.clone();
        if let Fault::Delay(time) = fault {
            sleep(time).await;
        }
        if toward == Toward::Client {
            to.write(&buffer[..len]).await?;
            continue;
        }
        let mut piece = buffer[..len].to_vec();
        let mut num_swallowed = 0;
        if shared.frames {
            let mut holds = false;
            (piece, num_swallowed) = frames.sift(&piece, |key| {
                holds |= matches!(&fault, Fault::HoldKafka(keys) if keys.contains(&key));
                matches!(&fault, Fault::SwallowKafka(keys) if keys.contains(&key))
            });
            if holds {
                shared.held.fetch_add(1, Ordering::Relaxed);
                let _ = orders.wait_for(|orders| orders.fault != fault).await;
            }
        }
        if fault == Fault::Swallow {
            num_swallowed += 1;
            piece.clear();
        }
        shared.swallowed.fetch_add(num_swallowed, Ordering::Relaxed);
        shared.damage(&mut piece);
        to.write(&piece).await?;
    }
}

// === impl Shared ===

impl Shared {
    /// Flips a bit of `piece`, if that was ordered and it begins a compressed request.
    fn damage(&self, piece: &mut [u8]) {
        if !piece.windows(DAMAGEABLE.len()).any(|window| window == DAMAGEABLE) {
            return;
        }
        if let Some(place) = self.damage.lock().unwrap().take() {
            let (bit, byte) = (place % 8, place as usize / 8 % piece.len());
            piece[byte] ^= 1 << bit;
            self.damaged.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// === impl Orders ===

impl Orders {
    fn ends(&self, toward: Toward) -> u64 {
        match toward {
            Toward::Client => self.ends_toward_client,
            Toward::Server => self.ends_toward_server,
        }
    }
}

// === impl Side ===

impl Side {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let handle = stream.try_clone()?;
        Ok(Self { stream: TcpStream::from_std(stream)?, handle })
    }

    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
