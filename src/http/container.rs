//! Town control (api.md 3.7): pause, breaker, drain, the container's life, and what was spent (3.6).

use gastown_core::sorted::SortedMap;

use futures::future::join_all;
use gastown_core::access::Caller;
use gastown_core::session::Usage;
use gastown_core::time::Timestamp;
use gastown_core::town::state::Pause;
use gastown_core::wire::api::control::{PauseTown, ResetBreaker, StopContainer};
use gastown_core::wire::code::Code;
use serde_json::{Value, json};

use super::inbound::Inbound;
use super::query::invalid;
use super::reply::Reply;
use crate::error::{Refusal, Result};
use crate::rig::calls as rig;
use crate::town::calls::{self as town, ListSpent, ShowAdmission, SpentRow};
use crate::town_container::calls::{EndRuntime, Renew, ShowRuntime};

/// POST `T/pause`
pub async fn pause(inbound: Inbound) -> Result<Reply> {
    let PauseTown { reason, stop_running } = inbound.read()?;
    inbound.ask_town(&town::Pause { pause: Pause { reason, stop_running } }).await?;
    super::people::status(inbound).await
}

/// POST `T/resume`
pub async fn resume(inbound: Inbound) -> Result<Reply> {
    inbound.ask_town(&town::Resume {}).await?;
    super::people::status(inbound).await
}

/// POST `T/breaker/reset`: one rig's, or the town's and every rig's. A breaker that is not open stays as it is.
pub async fn reset_breaker(inbound: Inbound) -> Result<Reply> {
    let ResetBreaker { rig_id } = inbound.read()?;
    let town_id = inbound.town_id()?;
    let call = rig::ResetBreaker { town_id };
    match rig_id {
        Some(rig_id) => inbound.ask_rig(rig_id, &call).await?,
        None => {
            inbound.ask_town(&town::ResetBreaker {}).await?;
            let rig_ids = inbound.rig_ids().await?;
            for answer in join_all(rig_ids.iter().map(|rig_id| inbound.ask_rig(*rig_id, &call))).await {
                answer?;
            }
        }
    }
    super::people::status(inbound).await
}

/// GET `T/drain-status`: the nonce is for a runtime that is not the one that drains.
pub async fn drain_status(inbound: Inbound) -> Result<Reply> {
    let view = inbound.ask_town(&ShowAdmission {}).await?;
    let mut status = json!({ "draining": view.drain_started_at.is_some(), "drainStartedAt": view.drain_started_at });
    if let Caller::Runtime(runtime) = &inbound.caller
        && view.drains != Some(runtime.instance_id)
    {
        status["drainNonce"] = json!(view.drain_nonce);
    }
    Reply::ok(&status)
}

/// POST `T/container/restart`
pub async fn restart(inbound: Inbound) -> Result<Reply> {
    end(inbound, true).await
}

/// POST `T/container/stop`
pub async fn stop(inbound: Inbound) -> Result<Reply> {
    end(inbound, false).await
}

/// POST `T/container/revoke-credentials`: tokens of the old generation are refused from now on, and the runtime is given
/// new ones.
pub async fn revoke(inbound: Inbound) -> Result<Reply> {
    inbound.ask_town(&town::RevokeCredentials {}).await?;
    inbound.ask_container(&Renew { town_id: inbound.town_id()? }).await?;
    Reply::ok(&json!({ "revoked": true }))
}

/// GET `T/usage`
pub async fn usage(inbound: Inbound) -> Result<Reply> {
    let instant = |name: &str| -> Result<Timestamp> {
        inbound.query.one(name)?.ok_or_else(|| invalid(name, format!("{name} is required")).into())
    };
    let (from, to) = (instant("from")?, instant("to")?);
    let group_by = inbound.query.get("group_by").unwrap_or("day").to_owned();
    if !matches!(group_by.as_str(), "day" | "rig" | "convoy") {
        let message = "Spend is grouped by day, rig or convoy";
        return Err(Refusal::new(Code::UnsupportedValue, message).into());
    }
    let call = ListSpent { from: from.day(), to: to.day(), by_convoy: group_by == "convoy" };
    let rows = inbound.ask_town(&call).await?;
    let mut groups: SortedMap<String, (String, Usage)> = SortedMap::new();
    let mut total = Usage::default();
    for SpentRow { day, key, label, spent } in rows {
        let (key, label) = if group_by == "day" { (day.clone(), day) } else { (key, label) };
        let group = groups.get_or_insert_with(key, || (label, Usage::default()));
        group.1 = group.1.plus(spent);
        total = total.plus(spent);
    }
    let groups: Vec<Value> =
        groups.into_iter().map(|(key, (label, spent))| merged(json!({ "key": key, "label": label }), spent)).collect();
    let budget = inbound.ask_town(&ShowAdmission {}).await?.budget;
    Reply::ok(&json!({
        "from": from,
        "to": to,
        "totals": merged(json!({}), total),
        "groups": groups,
        "budget": budget,
    }))
}

fn merged(mut row: Value, spent: Usage) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "micro-dollars of a town are below 2^53")]
    let cost_usd = spent.cost_micros as f64 / 1_000_000.0;
    row["tokens"] = json!({ "input": spent.tokens_in, "output": spent.tokens_out, "cache_read": 0, "cache_write": 0 });
    row["cost_usd"] = json!(cost_usd);
    row
}

async fn end(inbound: Inbound, is_restart: bool) -> Result<Reply> {
    let StopContainer { force } = inbound.read()?;
    inbound.ask_container(&EndRuntime { town_id: inbound.town_id()?, is_restart, is_forced: force }).await?;
    Reply::accepted(&inbound.ask_container(&ShowRuntime {}).await?)
}
