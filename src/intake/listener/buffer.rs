//! Reading without a buffer per connection: each worker thread has one, and a connection has it only while bytes are there.
//!
//! Leaves parsing to the caller, who gives the buffer back before it waits for anything. Invariant: a connection that says nothing
//! keeps no buffer, and one that sends slowly keeps what arrived and no more.

use std::cell::RefCell;
use std::future::Future as _;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use bytes::BufMut as _;
use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;

use super::settings::READ_BYTES;

/// Room behind what is read: the codec reserves a few bytes more after each packet, for which the buffer must not move.
const SPARE: usize = 16;

thread_local! {
    static IDLE: RefCell<Option<BytesMut>> = const { RefCell::new(None) };
}

/// The thread's buffer, empty.
fn take() -> BytesMut {
    let mut buffer = IDLE.with_borrow_mut(Option::take).unwrap_or_default();
    buffer.clear();
    // Takes back the memory of before, unless someone still holds a slice of it.
    buffer.reserve(READ_BYTES + SPARE);
    buffer
}

/// Gives a buffer back. Nothing that was cut out of it may be kept.
pub(super) fn give_back(buffer: BytesMut) {
    IDLE.with_borrow_mut(|idle| *idle = Some(buffer));
}

/// What is there to be read, in the thread's buffer; an empty one at the end. Parse it and give it back before the next wait.
/// Dropped while it waits, nothing is lost.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<BytesMut> {
    poll_fn(|context| {
        let mut buffer = take();
        let mut room = (&mut buffer).limit(READ_BYTES);
        let polled = pin!(stream.read_buf(&mut room)).poll(context);
        match polled {
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(buffer)),
            Poll::Ready(Err(error)) => {
                give_back(buffer);
                Poll::Ready(Err(error))
            }
            Poll::Pending => {
                give_back(buffer);
                Poll::Pending
            }
        }
    })
    .await
}

/// A copy of its own size of what is left, for a connection to keep; nothing for nothing.
pub(super) fn keep(rest: &[u8]) -> BytesMut {
    if rest.is_empty() {
        return BytesMut::new();
    }
    let mut kept = BytesMut::with_capacity(rest.len() + SPARE);
    kept.extend_from_slice(rest);
    kept
}
