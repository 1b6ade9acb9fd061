//! Live fan-out as server-sent events (api.md 6.1): readers with bounded queues. A slow reader never slows whoever
//! publishes: when its queue is full it is told to load again, and closed. A stream ends with the credential that opened
//! it.

use std::cell::Cell;
use std::rc::Rc;

use futures::StreamExt;
use futures::channel::mpsc;
use gastown_core::limits::{STREAMS_PER_SUBJECT, STREAMS_PER_TOWN};
use gastown_core::time::Timestamp;
use gastown_core::wire::code::Code;
use serde::{Deserialize, Serialize};
use serde_json::json;
use worker::{Env, Headers, Response};

use crate::account::calls::CheckSession;
use crate::ambient::{request_id, wall_now};
use crate::call::ask;
use crate::env::{Object, stub};
use crate::error::{Fault, Refusal, Result};

/// Frames that a reader may lag behind (api.md 6.1).
const LAG_MAX: usize = 1_000;
/// … and bytes.
const LAG_BYTES_MAX: usize = 1024 * 1024;
/// Time between two comment lines that keep a connection alive.
const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(15);
/// A stream ends after this long; the client comes back with its last id.
const LIFE: std::time::Duration = std::time::Duration::from_secs(30 * 60);
/// Every so many heartbeats it is asked whether the reader's session still holds.
const BEATS_PER_CHECK: u32 = 4;

/// Who reads, and how long they may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The user.
    pub subject: String,
    /// The session of a cookie.
    pub session_id: Option<String>,
    /// The generation that the credential names.
    pub generation: Option<u64>,
    /// End of the credential, by wall time.
    pub expires_at: Timestamp,
}

impl Default for Guard {
    fn default() -> Self {
        Self { subject: String::new(), session_id: None, generation: None, expires_at: Timestamp::from_ms(0) }
    }
}

/// Everybody who listens, and what each wants to see.
pub(crate) struct Readers<W> {
    readers: Vec<Reader<W>>,
}

struct Reader<W> {
    wanted: W,
    subject: String,
    sender: mpsc::Sender<Vec<u8>>,
    queue: Rc<Queue>,
}

/// What a reader has not taken yet.
#[derive(Default)]
struct Queue {
    bytes: Cell<usize>,
    /// The number that it lost, once it lags too far.
    lost: Cell<Option<u64>>,
}

impl<W> Default for Readers<W> {
    fn default() -> Self {
        Self { readers: Vec::new() }
    }
}

impl<W> Readers<W> {
    /// Hands a frame to every reader that wants it; those that are gone or lag are let go.
    pub(crate) fn send(&mut self, seq: u64, bytes: &[u8], wants: impl Fn(&W) -> bool) {
        self.readers.retain_mut(|reader| {
            if !wants(&reader.wanted) {
                return true;
            }
            let queued = reader.queue.bytes.get() + bytes.len();
            let is_full = queued > LAG_BYTES_MAX;
            let sent = if is_full { None } else { Some(reader.sender.try_send(bytes.to_vec())) };
            match sent {
                Some(Ok(())) => {
                    reader.queue.bytes.set(queued);
                    true
                }
                Some(Err(error)) if error.is_disconnected() => false,
                Some(Err(_)) | None => {
                    reader.queue.lost.set(Some(seq));
                    reader.sender.close_channel();
                    false
                }
            }
        });
    }

    /// Ends every stream.
    pub(crate) fn close(&mut self) {
        self.readers.drain(..).for_each(|mut reader| reader.sender.close_channel());
    }

    /// Opens a stream that begins with these bytes.
    pub(crate) fn open(&mut self, env: &Env, guard: Guard, wanted: W, first: Vec<u8>) -> Result<Response> {
        self.readers.retain(|reader| !reader.sender.is_closed());
        let own = self.readers.iter().filter(|reader| reader.subject == guard.subject).count();
        if self.readers.len() >= STREAMS_PER_TOWN || own >= STREAMS_PER_SUBJECT {
            return Err(Refusal::new(Code::RateLimited, "Too many live streams are open").retry_after(10).into());
        }
        let (mut sender, receiver) = mpsc::channel(LAG_MAX);
        let queue = Rc::new(Queue::default());
        // The queue is empty, so its first frame always fits.
        drop(sender.try_send(first));
        let subject = guard.subject.clone();
        self.readers.push(Reader { wanted, subject, sender: sender.clone(), queue: Rc::clone(&queue) });
        let at_end = Rc::clone(&queue);
        let frames = receiver.map(move |bytes| {
            queue.bytes.set(queue.bytes.get().saturating_sub(bytes.len()));
            bytes
        });
        let last = futures::stream::once(async move {
            let lost = |seq| frame("reset", None, &json!({ "reason": "lagged", "seq": seq }));
            at_end.lost.get().map(lost).unwrap_or_default()
        });
        let frames = frames.chain(last).map(Ok::<Vec<u8>, worker::Error>);
        let body = futures::stream::select(frames, keep_alive(env.clone(), guard, sender));
        let fault = |e: worker::Error| Fault::new("open the live stream", e);
        let headers = Headers::new();
        headers.set("content-type", "text/event-stream").map_err(fault)?;
        headers.set("cache-control", "no-store").map_err(fault)?;
        Ok(Response::from_stream(body).map_err(fault)?.with_headers(headers))
    }
}

/// One frame as it goes over the wire.
pub(crate) fn frame(event: &str, id: Option<u64>, data: &serde_json::Value) -> Vec<u8> {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: {event}\ndata: {data}\n\n").into_bytes()
}

/// Comment lines while the stream lives, then a goodbye that also closes the queue.
fn keep_alive(
    env: Env,
    guard: Guard,
    sender: mpsc::Sender<Vec<u8>>,
) -> impl futures::Stream<Item = std::result::Result<Vec<u8>, worker::Error>> {
    let beats = u32::try_from(LIFE.as_secs() / HEARTBEAT.as_secs()).unwrap_or(u32::MAX);
    futures::stream::unfold((0, env, guard, sender), move |(beat, env, guard, mut sender)| async move {
        if beat > beats || sender.is_closed() {
            return None;
        }
        // It ends with its credential, not with the heartbeat after that.
        worker::Delay::from(HEARTBEAT.min(guard.expires_at.since(wall_now()))).await;
        let is_over = wall_now() >= guard.expires_at;
        let is_denied = is_over || (beat % BEATS_PER_CHECK == BEATS_PER_CHECK - 1 && !may_go_on(&env, &guard).await);
        let bytes = if is_denied || beat == beats {
            sender.close_channel();
            let reason = if is_denied { json!({ "reason": "unauthorized" }) } else { json!({}) };
            frame("bye", None, &reason)
        } else {
            b": hb\n\n".to_vec()
        };
        Some((Ok(bytes), (beat + 1, env, guard, sender)))
    })
}

/// Whether the session behind the credential was not signed out. An account that does not answer now is asked again.
async fn may_go_on(env: &Env, guard: &Guard) -> bool {
    if guard.session_id.is_none() && guard.generation.is_none() {
        return true;
    }
    let check = CheckSession { session_id: guard.session_id.clone(), generation: guard.generation };
    let account = stub(env, Object::Account, &format!("user:{}", guard.subject));
    ask(account, &check, &request_id()).await.map_or(true, |answer| answer.is_live)
}
