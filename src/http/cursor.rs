//! Where a list goes on (api.md 1.4): an opaque text that names the last item shown and the filters it was shown under.
//! One place serves all rigs of a list, because they are merged in one order. What is written meanwhile stands before the
//! place or behind it, and moves nothing.

use gastown_core::limits::CURSOR_MAX;
use gastown_core::time::Timestamp;
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::Warning;
use serde::Serialize;

use super::inbound::Inbound;
use super::query::Paging;
use super::reply::Reply;
use crate::error::{Refusal, Result};
use crate::requests::digest;

/// A place in a list: when its item was made, and the item's id, or its number.
pub(super) type Place = (Timestamp, u128);

/// The place that the request names, if it names one.
pub(super) fn of(inbound: &Inbound) -> Result<Option<Place>> {
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

/// How many items a source must give, so that the page is whole and it is known whether there are more.
pub(super) fn wanted(inbound: &Inbound) -> Result<u32> {
    let Paging { limit, offset } = inbound.query.paging()?;
    Ok(limit.saturating_add(offset).saturating_add(1))
}

/// Whether the request wants to know how many there are in all.
pub(super) fn counts(inbound: &Inbound) -> bool {
    inbound.query.flag("count")
}

/// The page of what was found behind the place that the request names, and where the list goes on.
pub(super) fn page<T: Serialize>(
    inbound: &Inbound,
    found: Vec<T>,
    place: impl Fn(&T) -> Place,
    total: Option<u32>,
    warnings: Vec<Warning>,
) -> Result<Reply> {
    let Paging { limit, offset } = inbound.query.paging()?;
    let (skipped, wanted) = (offset as usize, limit as usize);
    let has_more = found.len() > skipped.saturating_add(wanted);
    let page: Vec<T> = found.into_iter().skip(skipped).take(wanted).collect();
    let next = page.last().filter(|_| has_more).map(place);
    let reply = Reply::with_warnings(200, &page, warnings)?;
    Ok(with_headers(reply, inbound, next, total))
}

/// The same of a list that is there as a whole, newest first.
pub(super) fn page_of_all<T: Serialize>(
    inbound: &Inbound,
    all: Vec<T>,
    place: impl Fn(&T) -> Place,
    warnings: Vec<Warning>,
) -> Result<Reply> {
    let total = counts(inbound).then(|| u32::try_from(all.len()).unwrap_or(u32::MAX));
    let after = of(inbound)?;
    let rest = all.into_iter().filter(|item| after.is_none_or(|after| place(item) < after)).collect();
    page(inbound, rest, place, total, warnings)
}

fn with_headers(reply: Reply, inbound: &Inbound, next: Option<Place>, total: Option<u32>) -> Reply {
    let reply = match total {
        Some(total) => reply.header("X-Total-Count", total.to_string()),
        None => reply,
    };
    let Some(last) = next else { return reply };
    let cursor = print(last, &scope(inbound));
    let limit = inbound.query.get("limit").map(|limit| format!("limit={limit}&")).unwrap_or_default();
    let link =
        format!("<{}?{}{limit}cursor={cursor}>; rel=\"next\"", inbound.head.path, inbound.query.encoded_filters());
    reply.header("X-Next-Cursor", cursor).header("Link", link)
}

fn scope(inbound: &Inbound) -> String {
    format!("{}?{}", inbound.head.path, inbound.query.filters())
}

fn print((at, id): Place, scope: &str) -> String {
    format!("{:x}.{id:032x}.{:08x}", at.ms(), digest(scope.as_bytes()) & 0xffff_ffff)
}

fn parse(text: &str, scope: &str) -> Option<Place> {
    let mut parts = text.get(..CURSOR_MAX.min(text.len()))?.split('.');
    let at = i64::from_str_radix(parts.next()?, 16).ok()?;
    let id = u128::from_str_radix(parts.next()?, 16).ok()?;
    let place = (Timestamp::from_ms(at), id);
    (print(place, scope) == text).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_valid_for_its_own_list_only() {
        let place = (Timestamp::from_ms(1_700_000_000_000), 7);
        let cursor = print(place, "/beads?status=open&");
        assert_eq!(parse(&cursor, "/beads?status=open&"), Some(place));
        assert_eq!(parse(&cursor, "/beads?"), None);
        for bad in ["", "x", "1.2", "1.2.3", &format!("{cursor}0"), &"f".repeat(CURSOR_MAX + 1)] {
            assert_eq!(parse(bad, "/beads?status=open&"), None, "{bad}");
        }
    }
}
