//! A client that knows only the older API: its paths, its bodies, and the fields that it reads (api.md 3, 4). Fields that
//! came later are not looked at here.

use anyhow::{Context as _, Result, ensure};
use gastown_e2e::api::{Api, Reply, items, text};
use gastown_e2e::wait::{Look, until};
use serde_json::{Value, json};

use crate::runtime::{ORDER_MAX, OrderKind, commit};
use crate::world::{Town, World};

const BEAD: &str = "bead_id type status title body rig_id parent_bead_id assignee_agent_bead_id priority labels metadata \
                    created_by created_at updated_at closed_at";
const AGENT: &str = "id rig_id role name identity status current_hook_bead_id dispatch_attempts last_activity_at \
                     checkpoint created_at agent_status_message agent_status_updated_at";
const RIG: &str = "id town_id name git_url default_branch platform_integration_id created_at updated_at";
const CONVOY: &str =
    "id title status total_beads closed_beads created_by created_at landed_at feature_branch merge_mode staged";
const MAIL: &str = "id from_agent_id to_agent_id subject body delivered created_at delivered_at";
const ESCALATION: &str = "id source_rig_id source_agent_id severity category message acknowledged re_escalation_count \
                          created_at acknowledged_at";

/// Every named field is there, whatever its value.
fn has(value: &Value, fields: &str) -> Result<()> {
    for field in fields.split_whitespace() {
        ensure!(value.get(field).is_some(), "no field `{field}` in {value}");
    }
    Ok(())
}

fn status(reply: &Reply, expected: u16) -> Result<Value> {
    ensure!(reply.status == expected, "expected {expected}: {reply}");
    Ok(reply.body["data"].clone())
}

fn call(api: &Api, method: &str, path: &str, body: &Value) -> Result<Reply> {
    api.call(method, path, Some(&body.to_string()))
}

/// Towns and rigs below a user: made, listed, shown, removed; and what is not the caller's is not theirs.
pub(crate) fn accounts(world: &World) -> Result<()> {
    let town = world.town(0, &json!({}))?;
    let api = &town.api;
    let user_id = text(&town.get("")?, "owner_user_id")?.to_owned();
    let of_user = |rest: &str| format!("/api/users/{user_id}{rest}");
    let made = status(&call(api, "POST", &of_user("/towns"), &json!({"name": "Older"}))?, 201)?;
    has(&made, "id name owner_user_id created_at updated_at")?;
    let town_id = text(&made, "id")?.to_owned();
    ensure!(items(api.get(&of_user("/towns"))?)?.iter().any(|row| row["id"] == *town_id));
    has(&api.get(&of_user(&format!("/towns/{town_id}")))?, "id name owner_user_id")?;
    let rig = json!({"town_id": town_id, "name": "shop", "git_url": "https://example.com/shop.git", "default_branch": "main"});
    let rig = status(&call(api, "POST", &of_user("/rigs"), &rig)?, 201)?;
    has(&rig, RIG)?;
    let rig_id = text(&rig, "id")?;
    let of_rig = of_user(&format!("/rigs/{rig_id}"));
    has(&api.get(&of_rig)?, RIG)?;
    ensure!(items(api.get(&of_user(&format!("/towns/{town_id}/rigs")))?)?.len() == 1);
    items(api.get(&of_user(&format!("/towns/{town_id}/events")))?)?;
    let strange = api.call("GET", "/api/users/somebody-else/towns", None)?;
    ensure!(strange.status == 403 && strange.code() == Some("wrong_account"), "{strange}");
    ensure!(status(&api.call("DELETE", &of_rig, None)?, 200)?["deleted"] == true);
    ensure!(api.call("GET", &of_rig, None)?.status == 404);
    let of_town = of_user(&format!("/towns/{town_id}"));
    ensure!(status(&api.call("DELETE", &of_town, None)?, 200)?["deleted"] == true);
    ensure!(api.call("GET", &of_town, None)?.status == 404);
    Ok(())
}

/// Beads of a rig, and the envelope of everything: created, listed, shown, moved, closed, removed.
pub(crate) fn beads(world: &World) -> Result<()> {
    let town = paused(world)?;
    let of_rig = town.path(&format!("/rigs/{}", town.rigs[0]));
    let new = json!({"type": "issue", "title": "Add login", "body": "With a form.", "priority": "high",
        "labels": ["ui"], "metadata": {"ticket": 7}});
    let reply = call(&town.api, "POST", &format!("{of_rig}/beads"), &new)?;
    ensure!(reply.body["success"] == true && reply.header("x-request-id").is_some(), "{reply}");
    let bead = status(&reply, 201)?;
    has(&bead, BEAD)?;
    ensure!(bead["type"] == "issue" && bead["status"] == "open" && bead["metadata"]["ticket"] == 7, "{bead}");
    let path = format!("{of_rig}/beads/{}", text(&bead, "bead_id")?);
    has(&town.api.get(&path)?, BEAD)?;
    ensure!(items(town.api.get(&format!("{of_rig}/beads?status=open&type=issue"))?)?.len() == 1);
    ensure!(items(town.api.get(&format!("{of_rig}/beads?status=closed"))?)?.is_empty());
    // Types that are no work of a rig are lists too.
    for kind in ["agent", "message", "convoy", "escalation", "merge_request", "molecule"] {
        items(town.api.get(&format!("{of_rig}/beads?type={kind}"))?)?;
        items(town.get(&format!("/beads?type={kind}"))?)?;
    }
    let paging = town.api.call("GET", &format!("{of_rig}/beads?limit=-1"), None)?;
    ensure!(paging.status == 400 && paging.body["error"].as_str().is_some_and(|e| e.contains("non-negative integers")));
    let closed = status(&call(&town.api, "POST", &format!("{path}/close"), &json!({"agent_id": town.mayor()?}))?, 200)?;
    ensure!(closed["status"] == "closed" && closed["closed_at"].is_string(), "{closed}");
    let reopened = json!({"status": "open", "agent_id": town.mayor()?});
    let terminal = call(&town.api, "PATCH", &format!("{path}/status"), &reopened)?;
    ensure!(terminal.status == 409 && terminal.code() == Some("terminal_bead"), "{terminal}");
    ensure!(status(&town.api.call("DELETE", &path, None)?, 200)?["deleted"] == true);
    let gone = town.api.call("GET", &path, None)?;
    ensure!(gone.status == 404 && gone.body["success"] == false && gone.body["error"].is_string(), "{gone}");
    Ok(())
}

/// Lists go on where they stopped, whatever is written meanwhile.
pub(crate) fn cursors(world: &World) -> Result<()> {
    let town = paused(world)?;
    for n in 0..5 {
        town.sling(&format!("Task {n}"))?;
    }
    let first = town.api.call("GET", &town.path("/beads?limit=2&count=true&status=open"), None)?;
    ensure!(first.header("x-total-count") == Some("5"), "{:?}", first.headers);
    let (mut next, mut seen) = (first.header("x-next-cursor").map(str::to_owned), ids(&first)?);
    while let Some(cursor) = next {
        town.sling("Written meanwhile")?;
        let page = town.api.call("GET", &town.path(&format!("/beads?limit=2&status=open&cursor={cursor}")), None)?;
        seen.extend(ids(&page)?);
        next = page.header("x-next-cursor").map(str::to_owned);
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    ensure!(seen.len() == 5 && distinct.len() == 5, "{seen:?}");
    let cursor = first.header("x-next-cursor").unwrap_or_default();
    let other = town.api.call("GET", &town.path(&format!("/beads?limit=2&status=closed&cursor={cursor}")), None)?;
    ensure!(other.status == 400 && other.code() == Some("invalid_cursor"), "{other}");
    for list in ["/convoys", "/escalations", "/mail", "/events", "/audit", "/agents"] {
        let page = town.api.call("GET", &town.path(&format!("{list}?limit=1")), None)?;
        ensure!(page.status == 200 && ids(&page)?.len() <= 1, "{list}: {page}");
    }
    Ok(())
}

fn ids(reply: &Reply) -> Result<Vec<String>> {
    Ok(items(reply.body["data"].clone())?.iter().map(|row| row["bead_id"].to_string()).collect())
}

/// Agents: registered, found or made, hooked and unhooked by hand.
pub(crate) fn agents(world: &World) -> Result<()> {
    let town = paused(world)?;
    let of_rig = town.path(&format!("/rigs/{}", town.rigs[0]));
    let new = json!({"role": "polecat", "name": "Nux", "identity": "nux-polecat"});
    let agent = status(&call(&town.api, "POST", &format!("{of_rig}/agents"), &new)?, 201)?;
    has(&agent, AGENT)?;
    ensure!(agent["status"] == "idle" && agent["current_hook_bead_id"].is_null(), "{agent}");
    let again = call(&town.api, "POST", &format!("{of_rig}/agents"), &new)?;
    ensure!(again.status == 409, "{again}");
    let found =
        status(&call(&town.api, "POST", &format!("{of_rig}/agents/get-or-create"), &json!({"role": "polecat"}))?, 200)?;
    has(&found, AGENT)?;
    let path = format!("{of_rig}/agents/{}", text(&agent, "id")?);
    has(&town.api.get(&path)?, AGENT)?;
    let bead_id = town.sling("Hook me")?;
    let hooked = status(&call(&town.api, "POST", &format!("{path}/hook"), &json!({"bead_id": bead_id}))?, 200)?;
    ensure!(hooked["hooked"] == true, "{hooked}");
    ensure!(town.api.get(&path)?["current_hook_bead_id"] == *bead_id);
    let other = town.sling("Me too")?;
    let busy = call(&town.api, "POST", &format!("{path}/hook"), &json!({"bead_id": other}))?;
    ensure!(busy.status == 409 && busy.code() == Some("agent_busy"), "{busy}");
    ensure!(status(&town.api.call("DELETE", &format!("{path}/hook"), None)?, 200)?["unhooked"] == true);
    ensure!(town.api.get(&path)?["current_hook_bead_id"].is_null());
    ensure!(items(town.api.get(&format!("{of_rig}/agents?role=polecat"))?)?.iter().any(|row| row["id"] == agent["id"]));
    ensure!(status(&town.api.call("DELETE", &path, None)?, 200)?["deleted"] == true);
    Ok(())
}

/// What an agent's plugin and its runtime call while it works.
pub(crate) fn agent_calls(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling("Works")?;
    let start = town.begin(&bead_id)?;
    let agent = town.seat.agent(&start);
    let own = |rest: &str| town.seat.agent_path(&start, rest);
    let of_rig = town.path(&format!("/rigs/{}", town.rigs[0]));
    let agent_id = start.body["assignment"]["agent_id"].clone();
    let prime = agent.get(&own("/prime"))?;
    has(&prime, "agent hooked_bead undelivered_mail open_beads rework_context pr_fixup_context pr_conflict_context")?;
    has(&prime["agent"], AGENT)?;
    ensure!(prime["hooked_bead"]["bead_id"] == *bead_id, "{prime}");
    ensure!(agent.post(&own("/checkpoint"), &json!({"data": {"step": 2}}))?["written"] == true);
    ensure!(agent.post(&own("/status"), &json!({"message": "Halfway"}))?["ok"] == true);
    ensure!(
        agent.post(&own("/heartbeat"), &json!({"lastEventType": "tool", "activeTools": ["bash"]}))?["heartbeat"]
            == true
    );
    let happened = json!({"agent_id": agent_id, "event_type": "tool", "data": {"tool": "bash"}});
    ensure!(agent.post(&format!("{of_rig}/agent-events"), &happened)?["appended"] == true);
    let events = items(agent.get(&own("/events"))?)?;
    ensure!(events.iter().any(|event| event["event_type"] == "tool" && event["data"]["tool"] == "bash"), "{events:?}");
    let nudge = json!({"target_agent_id": agent_id, "message": "Still there?", "mode": "queue"});
    let nudged = agent.post(&format!("{of_rig}/nudge"), &nudge)?;
    let pending = items(agent.get(&own("/pending-nudges"))?)?;
    has(pending.first().context("no nudge")?, "nudge_id message mode priority source")?;
    ensure!(agent.post(&own("/nudge-delivered"), &json!({"nudge_id": nudged["nudge_id"]}))?["marked"] == true);
    let mail = json!({"from_agent_id": agent_id, "to_agent_id": agent_id, "subject": "Note", "body": "To myself."});
    ensure!(agent.post(&format!("{of_rig}/mail"), &mail)?["sent"] == true);
    let mails = items(agent.get(&own("/mail"))?)?;
    has(mails.first().context("no mail")?, MAIL)?;
    let as_other = json!({"from_agent_id": town.mayor()?, "to_agent_id": agent_id, "subject": "x", "body": "y"});
    let refused = call(&agent, "POST", &format!("{of_rig}/mail"), &as_other)?;
    ensure!(refused.status == 403 && refused.code() == Some("identity_mismatch"), "{refused}");
    let waits = call(&agent, "POST", &own("/waiting"), &json!({}))?;
    ensure!(waits.status == 403 && waits.code() == Some("role_not_allowed"), "{waits}");
    let branch = start.body["branch"].as_str().context("no branch")?;
    let done = json!({"branch": branch, "pr_url": "https://github.com/a/b/pull/1", "summary": "Done."});
    ensure!(agent.post(&own("/done"), &done)?["done"] == true);
    let bead = town.until_status(&bead_id, "in_review")?;
    ensure!(bead["pr_url"] == "https://github.com/a/b/pull/1" || bead["pr_url"].is_null(), "{bead}");
    Ok(())
}

/// The review queue, as a client hands work in itself, and as a runtime that merges reports.
pub(crate) fn review_queue(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling("Is merged elsewhere")?;
    let start = town.begin(&bead_id)?;
    let agent = town.seat.agent(&start);
    let of_rig = town.path(&format!("/rigs/{}", town.rigs[0]));
    let submit = json!({"agent_id": start.body["assignment"]["agent_id"], "bead_id": bead_id,
        "branch": start.body["branch"], "summary": "Please look.", "commit": commit('a')});
    let submitted = status(&call(&agent, "POST", &format!("{of_rig}/review-queue"), &submit)?, 201)?;
    ensure!(submitted["submitted"] == true, "{submitted}");
    let review_id = text(&submitted, "mr_bead_id")?.to_owned();
    let complete = format!("{of_rig}/review-queue/{review_id}/complete");
    let merged = json!({"status": "merged", "message": "merged", "commit_sha": commit('b')});
    let early = call(&town.seat.worker(), "POST", &complete, &merged)?;
    ensure!(early.status == 409 && early.code() == Some("illegal_transition"), "{early}");
    let review = town.begin_review()?;
    town.seat.verdict(&review, &json!({"verdict": "approve"}))?;
    town.seat.next(OrderKind::Job, |body| body["kind"] == "merge")?;
    ensure!(status(&call(&town.seat.worker(), "POST", &complete, &merged)?, 200)?["completed"] == true);
    town.until_status(&bead_id, "closed")?;
    let queue = town.get("/merge-queue")?;
    has(&queue, "needs_attention in_flight activity")
}

/// Escalations and triage, mail and molecules, as people see them.
pub(crate) fn people(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling("Asks")?;
    let start = town.begin(&bead_id)?;
    let agent = town.seat.agent(&start);
    let of_rig = town.path(&format!("/rigs/{}", town.rigs[0]));
    let asked = json!({"title": "Which colour?", "body": "Red or blue?", "priority": "high", "metadata": {"a": 1}});
    let raised = status(&call(&agent, "POST", &format!("{of_rig}/escalations"), &asked)?, 201)?;
    has(&raised, ESCALATION)?;
    has(&raised, BEAD)?;
    ensure!(raised["type"] == "escalation" && raised["acknowledged"] == 0, "{raised}");
    let id = text(&raised, "id")?;
    ensure!(town.list("/escalations?acknowledged=false")?.iter().any(|row| row["id"] == *id));
    ensure!(town.list("/beads?type=escalation")?.iter().any(|row| row["bead_id"] == *id), "not among the beads");
    has(&town.bead(id)?, BEAD)?;
    let seen = town.post(&format!("/escalations/{id}/acknowledge"), &json!({}))?;
    ensure!(seen["acknowledged"] == 1 && seen["acknowledged_at"].is_string(), "{seen}");
    for mail in town.list("/mail")? {
        has(&mail, MAIL)?;
    }
    let events = town.list("/events?limit=5")?;
    has(
        events.first().context("nothing happened")?,
        "bead_event_id bead_id agent_id event_type old_value new_value metadata created_at",
    )?;
    has(&town.get("/status")?, "alarm agents beads patrol reconciler recentEvents")
}

/// Sling and the mayor's tools with the mayor's own token.
pub(crate) fn mayor(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let said = town.post("/mayor/message", &json!({"message": "Hello", "model": "x/y"}))?;
    has(&said, "agentId sessionStatus")?;
    let start = town.seat.next(OrderKind::Start, |body| body["role"] == "mayor")?;
    town.seat.ready(&start)?;
    let seen = until("the mayor", ORDER_MAX, || {
        let status = town.get("/mayor/status")?;
        let is_up = status["session"]["status"] == "idle" || status["session"]["status"] == "active";
        Ok(if is_up { Look::Found(status) } else { Look::NotYet(status.to_string()) })
    })?;
    has(&seen, "configured townId session")?;
    has(&seen["session"], "agentId sessionId status lastActivityAt")?;
    let mayor = town.seat.agent(&start);
    let tool = |rest: &str| format!("/api/mayor/{}/tools{rest}", town.town_id);
    let rigs = items(mayor.get(&tool("/rigs"))?)?;
    has(&rigs[0], RIG)?;
    let rig_id = &town.rigs[0];
    let slung =
        status(&call(&mayor, "POST", &tool("/sling"), &json!({"rig_id": rig_id, "title": "From the mayor"}))?, 201)?;
    has(&slung, "bead agent")?;
    has(&slung["bead"], BEAD)?;
    let bead_id = text(&slung["bead"], "bead_id")?;
    ensure!(items(mayor.get(&tool("/beads?status=open,in_progress"))?)?.iter().any(|row| row["bead_id"] == *bead_id));
    ensure!(items(mayor.get(&tool(&format!("/rigs/{rig_id}/beads")))?)?.len() == 1);
    for row in items(mayor.get(&tool("/agents"))?)? {
        has(&row, AGENT)?;
    }
    let batch = json!({"convoy_title": "Two things", "rig_id": rig_id, "parallel": true, "staged": true,
        "tasks": [{"title": "One"}, {"title": "Two"}]});
    let made = status(&call(&mayor, "POST", &tool("/sling-batch"), &batch)?, 201)?;
    has(&made["convoy"], CONVOY)?;
    ensure!(made["beads"].as_array().is_some_and(|beads| beads.len() == 2), "{made}");
    let convoy_id = text(&made["convoy"], "id")?;
    ensure!(items(mayor.get(&tool("/convoys"))?)?.iter().any(|row| row["id"] == *convoy_id));
    let started = mayor.post(&tool(&format!("/convoys/{convoy_id}/start")), &json!({}))?;
    has(&started, "convoy beads")?;
    has(&mayor.post(&tool(&format!("/convoys/{convoy_id}/close")), &json!({}))?, CONVOY)?;
    let update = json!({"priority": "low", "labels": ["x"]});
    let updated = status(&call(&mayor, "PATCH", &tool(&format!("/rigs/{rig_id}/beads/{bead_id}")), &update)?, 200)?;
    ensure!(updated["priority"] == "low", "{updated}");
    has(&mayor.get(&tool("/status"))?, "alarm agents beads")?;
    has(&mayor.get(&tool("/config"))?, "default_model role_models env_vars")?;
    let shown = json!({"action": {"type": "navigate", "page": "beads"}});
    ensure!(mayor.post(&tool("/ui-action"), &shown)?["broadcast"] == true);
    let wrong = json!({"action": {"type": "open_bead_drawer", "beadId": bead_id, "rigId": town.town_id}});
    let wrong = call(&mayor, "POST", &tool("/ui-action"), &wrong)?;
    ensure!(wrong.status == 422 && wrong.code() == Some("unknown_rig"), "{wrong}");
    let own = format!("/api/towns/{0}/rigs/mayor-{0}/agents/{1}", town.town_id, town.mayor()?);
    ensure!(mayor.post(&format!("{own}/status"), &json!({"message": "Thinking"}))?["ok"] == true);
    ensure!(mayor.post(&format!("{own}/waiting"), &json!({"firedAt": 1}))?["acknowledged"] == true);
    let foreign = mayor.call("GET", &town.path("/beads"), None)?;
    ensure!(foreign.status == 403 && foreign.code() == Some("credential_not_accepted"), "{foreign}");
    for (path, body, field) in [
        ("/mayor/dashboard-context", json!({"context": "Looks at beads."}), "stored"),
        ("/mayor/completed", json!({"status": "completed"}), "acknowledged"),
        ("/mayor/configure", json!({}), "configured"),
        ("/mayor/destroy", json!({}), "destroyed"),
    ] {
        ensure!(town.post(path, &body)?[field] == true, "{path}");
    }
    Ok(())
}

/// What the container of an older deployment reads and says, and the settings.
pub(crate) fn container(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling("Runs")?;
    let start = town.begin(&bead_id)?;
    let runtime = town.seat.worker();
    let registry = items(runtime.get(&town.path("/container-registry"))?)?;
    ensure!(registry.iter().any(|row| row["agentId"] == start.body["assignment"]["agent_id"]), "{registry:?}");
    let runs = json!([{"agentId": start.body["assignment"]["agent_id"]}]);
    ensure!(runtime.post(&town.path("/container-registry"), &runs)?["registered"] == 1);
    let mayor_id = runtime.call("GET", &town.path("/mayor-id"), None)?;
    ensure!(
        mayor_id.body["success"] == true && mayor_id.body["agentId"].is_string() && mayor_id.body.get("data").is_none()
    );
    let event = call(&runtime, "POST", &town.path("/container-events"), &json!({"event": "boot", "durationMs": 5}))?;
    ensure!(event.body == json!({"success": true}), "{event}");
    let none = call(&runtime, "POST", &town.path(&format!("/rigs/{}/refresh-git-token", town.rigs[0])), &json!({}))?;
    ensure!(none.status == 404 && none.code() == Some("no_credentials"), "{none}");
    let agent_id = start.body["assignment"]["agent_id"].as_str().context("no agent")?;
    has(&town.get(&format!("/container/agents/{agent_id}/status"))?, "agentId status role")?;
    let pty = town.api.call("POST", &town.path(&format!("/container/agents/{agent_id}/pty")), Some("{}"))?;
    ensure!(pty.status == 404 && pty.code() == Some("not_offered"), "{pty}");
    has(&town.get("/drain-status")?, "draining drainStartedAt")?;
    let patch = json!({"env_vars": {"TOKEN": "a-very-secret-value"}, "default_model": "a/b"});
    let changed = status(&call(&town.api, "PATCH", &town.path("/config"), &patch)?, 200)?;
    ensure!(changed["env_vars"]["TOKEN"] == "****alue" && changed["default_model"] == "a/b", "{changed}");
    let log = town.list("/audit")?;
    ensure!(log.iter().any(|row| row["changes"]["default_model"]["new"] == "a/b"), "{log:?}");
    ensure!(!format!("{log:?}").contains("a-very-secret-value"), "a secret is in the audit log");
    let known = town.api.call("GET", &town.path("/config"), None)?;
    let etag = known.header("etag").context("no tag")?.to_owned();
    let stale = town.api.clone().with_header("if-match", "\"1\"");
    let refused = call(&stale, "PATCH", &town.path("/config"), &json!({"default_model": "c/d"}))?;
    ensure!(refused.status == 412 && refused.code() == Some("precondition_failed"), "{refused}");
    let current = town.api.clone().with_header("if-match", &etag);
    status(&call(&current, "PATCH", &town.path("/config"), &json!({"default_model": "c/d"}))?, 200)?;
    let unchanged = town.api.clone().with_header("if-none-match", &etag).call("GET", &town.path("/config"), None)?;
    ensure!(unchanged.status == 200, "{unchanged}");
    let profiles = town.api.get("/api/model-profiles")?;
    has(&profiles, "version default_profile fallback small_fallback profiles")?;
    let asked =
        json!({"role": "polecat", "labels": ["gt:rework"], "draft": {"default_model": "x/y", "model_profile": null}});
    let resolved = town.post("/models/resolve", &asked)?;
    ensure!(resolved["model"] == "x/y" && resolved["because"].is_string(), "{resolved}");
    let unknown = call(&town.api, "POST", &town.path("/models/resolve"), &json!({"role": "king"}))?;
    ensure!(unknown.status == 422 && unknown.code() == Some("unknown_role"), "{unknown}");
    Ok(())
}

/// The same key side by side: one effect, and everybody is told the same or to wait.
pub(crate) fn repeats(world: &World) -> Result<()> {
    let town = paused(world)?;
    let api = town.api.clone().with_header("idempotency-key", "k-1");
    let path = town.path("/beads");
    let body = json!({"rig_id": town.rigs[0], "title": "Once"}).to_string();
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..6).map(|_| scope.spawn(|| api.call("POST", &path, Some(&body)))).collect();
        calls.into_iter().filter_map(|call| call.join().ok()?.ok()).collect()
    });
    ensure!(replies.len() == 6 && replies.iter().any(|reply| reply.status == 201), "{replies:?}");
    let others = replies.iter().filter(|reply| reply.status != 201);
    for other in others {
        ensure!(other.status == 409 && other.code() == Some("idempotency_in_progress"), "{other}");
    }
    ensure!(town.list("/beads")?.len() == 1);
    let again = api.call("POST", &path, Some(&body))?;
    ensure!(again.status == 201 && again.header("idempotency-replayed") == Some("true"), "{again}");
    let other = json!({"rig_id": town.rigs[0], "title": "Twice"}).to_string();
    let mismatch = api.call("POST", &path, Some(&other))?;
    ensure!(mismatch.status == 422 && mismatch.code() == Some("idempotency_mismatch"), "{mismatch}");
    Ok(())
}

/// A town in which nothing starts, so that lists hold still.
fn paused(world: &World) -> Result<Town> {
    let town = world.town(1, &json!({}))?;
    town.post("/pause", &json!({"reason": "a test"}))?;
    Ok(town)
}

impl Town {
    fn mayor(&self) -> Result<String> {
        Ok(text(&self.get("/agents/mayor")?, "id")?.to_owned())
    }
}
