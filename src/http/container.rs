//! Town control (api.md 3.7): pause, breaker, drain, the container's life, and what was spent (3.6).

use gastown_core::sorted::SortedMap;

use futures::future::join_all;
use gastown_core::access::Caller;
use gastown_core::session::Usage;
use gastown_core::time::Timestamp;
use gastown_core::town::state::Pause;
use gastown_core::wire::api::control::{PauseTown, ResetBreaker, StopContainer};
use gastown_core::wire::api::metrics::{Metrics, SpentBy, Window};
use gastown_core::wire::envelope::Warning;
use serde_json::{Value, json};

use super::inbound::Inbound;
use super::query::invalid;
use super::reply::Reply;
use crate::error::Result;
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

/// GET `T/usage`: days, rigs and convoys from the town's own totals, everything else from the assignments of its rigs.
pub async fn usage(inbound: Inbound) -> Result<Reply> {
    let instant = |name: &str| -> Result<Timestamp> {
        inbound.query.one(name)?.ok_or_else(|| invalid(name, format!("{name} is required")).into())
    };
    let (from, to) = (instant("from")?, instant("to")?);
    let group_by = inbound.query.get("group_by").unwrap_or("day").to_owned();
    let (groups, warnings) = match group_by.as_str() {
        "day" | "rig" | "convoy" => (spent_of_town(&inbound, &group_by, from, to).await?, Vec::new()),
        other => {
            let by = other.parse::<SpentBy>().map_err(|unknown| invalid("group_by", unknown.to_string()))?;
            spent_of_rigs(&inbound, by, from, to).await?
        }
    };
    let mut total = (Usage::default(), 0);
    for (_, spent, assignments) in groups.values() {
        total = (total.0.plus(*spent), total.1 + assignments);
    }
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|(key, (label, spent, assignments))| {
            merged(json!({ "key": key, "label": label, "assignments": assignments }), spent)
        })
        .collect();
    let budget = inbound.ask_town(&ShowAdmission {}).await?.budget;
    let data = json!({
        "from": from,
        "to": to,
        "totals": merged(json!({ "assignments": total.1 }), total.0),
        "groups": groups,
        "budget": budget,
    });
    Reply::with_warnings(200, &data, warnings)
}

/// Label, spend and number of assignments by key.
type Groups = SortedMap<String, (String, Usage, u32)>;

async fn spent_of_town(inbound: &Inbound, group_by: &str, from: Timestamp, to: Timestamp) -> Result<Groups> {
    let call = ListSpent { from: from.day(), to: to.day(), by_convoy: group_by == "convoy" };
    let mut groups = Groups::new();
    for SpentRow { day, key, label, spent } in inbound.ask_town(&call).await? {
        let (key, label) = if group_by == "day" { (day.clone(), day) } else { (key, label) };
        let group = groups.get_or_insert_with(key, || (label, Usage::default(), 0));
        group.1 = group.1.plus(spent);
    }
    Ok(groups)
}

async fn spent_of_rigs(
    inbound: &Inbound,
    by: SpentBy,
    from: Timestamp,
    to: Timestamp,
) -> Result<(Groups, Vec<Warning>)> {
    let call = rig::ListSpent { town_id: inbound.town_id()?, by, from, to };
    let (answers, warnings) = inbound.ask_rigs(&inbound.rig_ids().await?, &call).await;
    let mut groups = Groups::new();
    for row in answers.into_iter().flat_map(|(_, rows)| rows) {
        let group = groups.get_or_insert_with(row.key, || (row.label, Usage::default(), 0));
        *group = (std::mem::take(&mut group.0), group.1.plus(row.spent), group.2 + row.assignments);
    }
    if by == SpentBy::Role {
        // The mayor's sessions belong to no rig.
        let own = spent_of_town(inbound, "rig", from, to).await?;
        if let Some((label, spent, _)) = own.get("mayor").cloned() {
            groups.insert("mayor".to_owned(), (label, spent, 0));
        }
    }
    Ok((groups, warnings))
}

/// GET `T/metrics`
pub async fn metrics(inbound: Inbound) -> Result<Reply> {
    let (window, bucket) = (inbound.query.get("window").unwrap_or("24h"), inbound.query.get("bucket").unwrap_or("30m"));
    let now = inbound.settings.clock.now();
    let unfit = || invalid("window", "a window of at most 30d, in at most 1500 buckets: 24h and 30m".to_owned());
    let window = Window::ending(now, window, bucket).ok_or_else(unfit)?;
    let call = rig::ShowFigures { town_id: inbound.town_id()?, window };
    let (answers, warnings) = inbound.ask_rigs(&inbound.rig_ids().await?, &call).await;
    Reply::with_warnings(200, &Metrics::of(window, &answers), warnings)
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
