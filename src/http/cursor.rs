//! Where a list goes on (api.md 1.4): an opaque text that names the last item shown and the filters it was shown under.
//! One place serves all rigs of a list, because they are merged in one order.

use gastown_core::id::BeadId;
use gastown_core::limits::CURSOR_MAX;
use gastown_core::time::Timestamp;
use gastown_core::wire::code::Code;

use super::inbound::Inbound;
use super::reply::Reply;
use crate::error::{Refusal, Result};
use crate::requests::digest;

/// The place that the request names, if it names one.
pub(super) fn of(inbound: &Inbound) -> Result<Option<(Timestamp, BeadId)>> {
    let Some(text) = inbound.query.get("cursor") else { return Ok(None) };
    let place = parse(text, &scope(inbound)).filter(|_| inbound.query.get("offset").is_none());
    match place {
        Some(place) => Ok(Some(place)),
        None => {
            let message = "The cursor is for another list, or an offset was given with it";
            Err(Refusal::new(Code::InvalidCursor, message).into())
        }
    }
}

/// A reply that says where the list goes on.
pub(super) fn with_next(reply: Reply, inbound: &Inbound, last: (Timestamp, BeadId)) -> Reply {
    let cursor = print(last, &scope(inbound));
    let limit = inbound.query.get("limit").map(|limit| format!("limit={limit}&")).unwrap_or_default();
    let link = format!("<{}?{}{limit}cursor={cursor}>; rel=\"next\"", inbound.head.path, inbound.query.filters());
    reply.header("X-Next-Cursor", cursor).header("Link", link)
}

fn scope(inbound: &Inbound) -> String {
    format!("{}?{}", inbound.head.path, inbound.query.filters())
}

fn print((at, id): (Timestamp, BeadId), scope: &str) -> String {
    format!("{:x}.{}.{:08x}", at.ms(), id.digits(32), digest(scope.as_bytes()) & 0xffff_ffff)
}

fn parse(text: &str, scope: &str) -> Option<(Timestamp, BeadId)> {
    let mut parts = text.get(..CURSOR_MAX.min(text.len()))?.split('.');
    let at = i64::from_str_radix(parts.next()?, 16).ok()?;
    let id = u128::from_str_radix(parts.next()?, 16).ok()?;
    let place = (Timestamp::from_ms(at), BeadId::from_u128(id));
    (print(place, scope) == text).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_valid_for_its_own_list_only() {
        let place = (Timestamp::from_ms(1_700_000_000_000), BeadId::from_u128(7));
        let cursor = print(place, "/beads?status=open&");
        assert_eq!(parse(&cursor, "/beads?status=open&"), Some(place));
        assert_eq!(parse(&cursor, "/beads?"), None);
        for bad in ["", "x", "1.2", "1.2.3", &format!("{cursor}0"), &"f".repeat(CURSOR_MAX + 1)] {
            assert_eq!(parse(bad, "/beads?status=open&"), None, "{bad}");
        }
    }
}
