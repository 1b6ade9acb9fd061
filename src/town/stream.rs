//! The town channel (api.md 6.2): what a reader wants, and how a frame looks.

use gastown_core::id::RigId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use worker::{Env, Response};

use super::calls::{Frames, NumberedFrame};
use crate::error::Result;
use crate::sse::{self, Guard, Readers, frame};

/// What a reader wants to see. Filters do not change the numbering (api.md 6.2).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// The last frame that it has.
    pub after: Option<u64>,
    /// A resume point that is no number of ours.
    pub is_lost: bool,
    /// Only these types; empty: all.
    pub types: Vec<String>,
    /// Only what comes from this rig.
    pub rig_id: Option<RigId>,
    /// Who reads.
    pub guard: Guard,
}

impl Wanted {
    fn shows(&self, frame: &NumberedFrame) -> bool {
        (self.types.is_empty() || self.types.contains(&frame.frame))
            && (self.rig_id.is_none() || self.rig_id == frame.rig_id)
    }
}

/// Hands frames to every reader.
pub(super) fn send(readers: &mut Readers<Wanted>, frames: &[NumberedFrame]) {
    for frame in frames {
        readers.send(frame.seq, &encode(frame), |wanted| wanted.shows(frame));
    }
}

/// Opens a stream that begins with what the reader missed: the frames after its last one, or a reset when they are not
/// all kept. No frame can fall between, since nothing here awaits.
pub(super) fn open(
    readers: &mut Readers<Wanted>,
    env: &Env,
    missed: &Frames,
    wanted: Wanted,
    now: &str,
) -> Result<Response> {
    let mut first = b"retry: 2000\n".to_vec();
    let hello = json!({ "seq": missed.newest_seq, "oldest_seq": missed.oldest_seq, "server_time": now });
    first.extend(frame("hello", None, &hello));
    let reset = |reason: &str| frame("reset", None, &json!({ "reason": reason, "seq": missed.newest_seq }));
    match wanted.after {
        _ if wanted.is_lost => first.extend(reset("unknown")),
        Some(after) if after > missed.newest_seq => first.extend(reset("unknown")),
        Some(after) if after + 1 < missed.oldest_seq => first.extend(reset("gone")),
        Some(_) => {
            let shown = missed.frames.iter().filter(|frame| wanted.shows(frame));
            shown.for_each(|frame| first.extend(encode(frame)));
        }
        None => (),
    }
    readers.open(env, wanted.guard.clone(), wanted, first)
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
    sse::frame(&frame.frame, Some(frame.seq), &data)
}
