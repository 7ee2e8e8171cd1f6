//! A connection's two directions with limits on patience: a client that takes no bytes of an answer, or sends none of a body that it
//! announced, loses the connection after a while. How long a header may take is hyper's to watch.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::connections::Busy;

/// Measures how long something has not moved.
#[derive(Debug)]
struct Patience {
    limit: Duration,
    over: Option<Pin<Box<Sleep>>>,
}

/// A stream whose writes must go on.
#[derive(Debug)]
pub(super) struct Link<S> {
    stream: S,
    writing: Patience,
}

/// A request's body that must go on.
#[derive(Debug)]
pub(super) struct Incoming<B> {
    body: B,
    waiting: Patience,
}

/// An answer's body, until whose end the connection counts as busy.
#[derive(Debug)]
pub(super) struct Outgoing {
    body: Body,
    _busy: Arc<Busy>,
}

// === impl Patience ===

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, over: None }
    }

    /// Passes on what came; an error once nothing has come for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, seen: Poll<T>, what: &str) -> Poll<Result<T, io::Error>> {
        if let Poll::Ready(seen) = seen {
            self.over = None;
            return Poll::Ready(Ok(seen));
        }
        let over = self.over.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.limit)));
        ready!(over.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, format!("{what} for {} ms", self.limit.as_millis()))))
    }
}

// === impl Link ===

impl<S> Link<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        Self { stream, writing: Patience::new(limit) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Link<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Link<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.writing.watch(context, written, "the client took nothing").map(Result::flatten)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.writing.watch(context, flushed, "the client took nothing").map(Result::flatten)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.writing.watch(context, shut, "the client took nothing").map(Result::flatten)
    }
}

// === impl Incoming ===

impl<B> Incoming<B> {
    pub(super) fn new(body: B, limit: Duration) -> Self {
        Self { body, waiting: Patience::new(limit) }
    }
}

impl<B> HttpBody for Incoming<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        match ready!(self.waiting.watch(context, frame, "nothing came of it")) {
            Ok(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            Err(late) => Poll::Ready(Some(Err(late.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl Outgoing ===

impl Outgoing {
    pub(super) fn new(body: Body, busy: Arc<Busy>) -> Self {
        Self { body, _busy: busy }
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
