//! The live fan-out of the town channel (api.md 6.1, 6.2): readers of server-sent events, each with a bounded queue. A
//! slow reader never slows the town: when its queue is full it is told to reset, and closed.

use futures::StreamExt;
use futures::channel::mpsc;
use gastown_core::id::RigId;
use gastown_core::limits::STREAMS_PER_TOWN;
use gastown_core::wire::code::Code;
use serde::{Deserialize, Serialize};
use serde_json::json;
use worker::{Headers, Response};

use super::calls::{Frames, NumberedFrame};
use crate::error::{Fault, Refusal, Result};

/// Frames that a reader may lag behind (api.md 6.1).
const LAG_MAX: usize = 1_000;
/// Time between two comment lines that keep a connection alive.
const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(15);
/// A stream ends after this long; the client comes back with its last id.
const LIFE: std::time::Duration = std::time::Duration::from_secs(30 * 60);

/// What a reader wants to see. Filters do not change the numbering (api.md 6.2).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// The last frame that it has.
    pub after: Option<u64>,
    /// Only these types; empty: all.
    pub types: Vec<String>,
    /// Only what comes from this rig.
    pub rig_id: Option<RigId>,
}

impl Wanted {
    fn shows(&self, frame: &NumberedFrame) -> bool {
        (self.types.is_empty() || self.types.contains(&frame.frame))
            && (self.rig_id.is_none() || self.rig_id == frame.rig_id)
    }
}

/// Everybody who listens.
#[derive(Default)]
pub(super) struct Readers {
    senders: Vec<(Wanted, mpsc::Sender<Vec<u8>>)>,
}

impl Readers {
    /// Hands frames to every reader; those that are gone or lag are let go.
    pub(super) fn send(&mut self, frames: &[NumberedFrame]) {
        for frame in frames {
            let bytes = encode(frame);
            self.senders.retain_mut(|(wanted, sender)| {
                if !wanted.shows(frame) {
                    return true;
                }
                let Err(error) = sender.try_send(bytes.clone()) else { return true };
                if error.is_full() {
                    sender.close_channel();
                }
                false
            });
        }
    }

    /// Opens a stream that begins with what the reader missed: the frames after its last one, or a reset when they are
    /// not all kept. No frame can fall between, since nothing here awaits.
    pub(super) fn open(&mut self, missed: &Frames, wanted: Wanted, now: &str) -> Result<Response> {
        self.senders.retain(|(_, sender)| !sender.is_closed());
        if self.senders.len() >= STREAMS_PER_TOWN {
            return Err(Refusal::new(Code::RateLimited, "Too many live streams are open").retry_after(10).into());
        }
        let (mut sender, receiver) = mpsc::channel(LAG_MAX);
        let hello = json!({ "seq": missed.newest_seq, "oldest_seq": missed.oldest_seq, "server_time": now });
        let mut first = format!("retry: 2000\nevent: hello\ndata: {hello}\n\n").into_bytes();
        match wanted.after {
            Some(after) if after > missed.newest_seq || after + 1 < missed.oldest_seq => {
                let reason = if after > missed.newest_seq { "unknown" } else { "gone" };
                let reset = json!({ "reason": reason, "seq": missed.newest_seq });
                first.extend(format!("event: reset\ndata: {reset}\n\n").into_bytes());
            }
            Some(_) => {
                let shown = missed.frames.iter().filter(|frame| wanted.shows(frame));
                shown.for_each(|frame| first.extend(encode(frame)));
            }
            None => (),
        }
        // The queue is empty, so its first frame always fits.
        drop(sender.try_send(first));
        self.senders.push((wanted, sender.clone()));
        let frames = receiver.map(Ok::<Vec<u8>, worker::Error>);
        let body = futures::stream::select(frames, keep_alive(sender));
        let fault = |e: worker::Error| Fault::new("open the live stream", e);
        let headers = Headers::new();
        headers.set("content-type", "text/event-stream").map_err(fault)?;
        headers.set("cache-control", "no-store").map_err(fault)?;
        Ok(Response::from_stream(body).map_err(fault)?.with_headers(headers))
    }
}

/// Comment lines while the stream lives, then a goodbye that also closes the queue.
fn keep_alive(
    sender: mpsc::Sender<Vec<u8>>,
) -> impl futures::Stream<Item = std::result::Result<Vec<u8>, worker::Error>> {
    let beats = u32::try_from(LIFE.as_secs() / HEARTBEAT.as_secs()).unwrap_or(u32::MAX);
    futures::stream::unfold((0, sender), move |(beat, mut sender)| async move {
        if beat > beats || sender.is_closed() {
            return None;
        }
        worker::Delay::from(HEARTBEAT).await;
        let text = if beat == beats {
            sender.close_channel();
            "event: bye\ndata: {}\n\n"
        } else {
            ": hb\n\n"
        };
        Some((Ok(text.as_bytes().to_vec()), (beat + 1, sender)))
    })
}

fn encode(frame: &NumberedFrame) -> Vec<u8> {
    let data = json!({
        "seq": frame.seq,
        "at": frame.at,
        "type": frame.frame,
        "rig_id": frame.rig_id,
        "actor": frame.data.get("actor"),
        "cause_seq": null,
        "data": frame.data,
    });
    format!("id: {}\nevent: {}\ndata: {data}\n\n", frame.seq, frame.frame).into_bytes()
}
