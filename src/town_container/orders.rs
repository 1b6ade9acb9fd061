//! Orders of the Town and its Rigs, completed and handed to the runtime. What the runtime answers is translated here once:
//! 503 and strangers are "not now", other refusals of a start are "never like this" (container.md 2.2).

use std::rc::Rc;
use std::time::Duration;

use gastown_core::container::{Event, Phase};
use gastown_core::id::TownId;
use gastown_core::limits::{DRAIN_LIMIT, FINISH_LIMIT};
use gastown_core::session::{JobAnswer, SessionAnswer, StartAnswer};
use gastown_core::wire::code::Code;
use gastown_core::wire::control::{
    CheckRepo, DrainOrder, JobOrder, JobView, PushMessages, PushedMessages, RemoveOrder, SessionView, StopMode,
    StopOrder, WrapUpOrder,
};
use gastown_core::wire::order::{Delivery, SessionOrder};
use serde_json::Value;
use worker::Method;

use super::calls::{
    self, CancelJob, EndRuntime, Forget, PushToSession, QuerySession, Reconfigure, Renew, RunJob, SetNeeded,
    SleepRuntime, StartSession, StopSession, WrapUpSession,
};
use super::{Keeper, watch};
use crate::ambient::wall_now;
use crate::container::{Answer, Refused};
use crate::env::settings;
use crate::error::{Fault, Refusal, Result};
use crate::sql::clear;
use crate::token::AgentSubject;

/// A runtime that sleeps has nothing to save but the mayor's conversation (container.md 12.2).
const SLEEP_LIMIT: Duration = Duration::from_secs(30);
/// A forced end leaves time to kill processes and to report.
const FORCED_LIMIT: Duration = Duration::from_secs(10);
/// The runtime's own limit is shorter than ours by this much.
const END_MARGIN: Duration = Duration::from_secs(5);

/// The runtime is needed, or not: its life goes on accordingly. One that runs, but that this object has not spoken to since
/// it woke, is attached ahead of the first order.
pub(super) fn set_needed(keeper: &Rc<Keeper>, call: &SetNeeded) -> Result<()> {
    watch::step(keeper, call.town_id, Some(Event::Needed(call.needed)))?;
    let runs = matches!(keeper.row()?.life.phase, Phase::Running | Phase::Unhealthy);
    if call.needed && runs && keeper.attached.borrow().is_none() {
        let (own, town_id) = (Rc::clone(keeper), call.town_id);
        keeper.object.wait_until(async move {
            if let Err(error) = own.attach(town_id).await {
                crate::log::warn("the runtime was not attached", &[("error", &format_args!("{error:?}"))]);
            }
        });
    }
    Ok(())
}

/// Nothing needs the runtime: it saves the mayor's conversation, ends what is idle for this town and forgets it. A
/// container of the town's own ends with it; a runtime that serves others goes on.
pub(super) async fn sleep(keeper: &Rc<Keeper>, call: SleepRuntime) -> Result<()> {
    watch::step(keeper, call.town_id, Some(Event::Needed(false)))?;
    end(keeper, call.town_id, "idle", SLEEP_LIMIT).await
}

/// A person ends the runtime, or has it begin anew. Work is saved first, unless it is forced.
pub(super) async fn end_runtime(keeper: &Rc<Keeper>, call: EndRuntime) -> Result<()> {
    let reason = if call.is_restart { "restart" } else { "stop" };
    end(keeper, call.town_id, reason, if call.is_forced { FORCED_LIMIT } else { DRAIN_LIMIT }).await
}

/// Credentials were revoked: the runtime is given new ones. A container of the town's own has the old generation in its
/// environment, and is replaced.
pub(super) async fn renew(keeper: &Rc<Keeper>, call: Renew) -> Result<()> {
    if keeper.object.container().is_some() {
        return end(keeper, call.town_id, "restart", DRAIN_LIMIT).await;
    }
    keeper.tokens.borrow_mut().clear();
    if keeper.attached.replace(None).is_some()
        && let Err(why) = keeper.attach(call.town_id).await?
    {
        crate::log::warn("the runtime was not given new credentials", &[("why", &why)]);
    }
    Ok(())
}

/// Orders the runtime to drain this town, which it then forgets. `limit` is wall time, as the runtime's.
async fn end(keeper: &Rc<Keeper>, town_id: TownId, reason: &str, limit: Duration) -> Result<()> {
    // An object that began anew has forgotten whom it spoke to, and a container may run that was never attached.
    let ends = keeper.row()?.life.end_by.is_some();
    if !ends
        && keeper.object.container().is_none_or(|container| container.running())
        && let Err(error) = keeper.attach(town_id).await
    {
        crate::log::warn("the runtime was not attached", &[("error", &format_args!("{error:?}"))]);
    }
    let was_attached = keeper.attached.replace(None).is_some();
    keeper.tokens.borrow_mut().clear();
    if !was_attached && !ends {
        watch::destroy(keeper).await?;
    }
    if was_attached && let Ok(control) = keeper.control(town_id) {
        let deadline_s = u32::try_from(limit.as_secs()).ok();
        let order = DrainOrder { reason: reason.to_owned(), deadline_s };
        let answer: Answer<Value> = control.town(Method::Post, town_id, "/drain", Some(&order)).await;
        if let Answer::Silent(why) = answer {
            crate::log::warn("the runtime did not hear that it shall end", &[("why", &why)]);
        }
    }
    let clock = settings(&keeper.env)?.clock;
    let end_by = clock.town(wall_now() + limit + END_MARGIN);
    watch::step(keeper, town_id, Some(if was_attached { Event::ToldToEnd(end_by) } else { Event::Ended }))
}

/// Starts a session. The reply says whether the runtime took the order.
pub(super) async fn start_session(keeper: &Rc<Keeper>, call: StartSession) -> Result<StartAnswer> {
    let town_id = call.town_id;
    let instance_id = match keeper.attach(town_id).await? {
        Ok(instance_id) => instance_id,
        Err(why) => return Ok(StartAnswer::NotNow(why)),
    };
    let order = call.order.clone().deliver(delivery(keeper, &call, instance_id).await?);
    let answer: Answer<SessionView> = keeper.call(town_id, Method::Post, "/assignments", Some(&order)).await?;
    match answer {
        Answer::Done(_) => Ok(StartAnswer::Accepted(instance_id)),
        Answer::Refused(refused) => Ok(start_refused(refused)),
        Answer::Silent(why) => Err(Fault::new("order a start", why).into()),
    }
}

/// Whether a session lives; silence is no answer.
pub(super) async fn query_session(keeper: &Rc<Keeper>, call: QuerySession) -> Result<Option<SessionAnswer>> {
    let path = format!("/assignments/{}?epoch={}", call.session.assignment_id, call.session.epoch);
    let answer: Answer<SessionView> = keeper.call(call.town_id, Method::Get, &path, None::<&()>).await?;
    let instance_id = *keeper.attached.borrow();
    Ok(match (answer, instance_id) {
        (Answer::Done(view), Some(instance_id)) if view.phase != "ended" && view.epoch == call.session.epoch => {
            Some(SessionAnswer::Alive(instance_id))
        }
        (Answer::Done(view), _) => {
            Some(SessionAnswer::Gone(view.reason.map_or_else(|| "the session has ended".to_owned(), |r| r.message)))
        }
        (Answer::Refused(refused), _) if matches!(refused.status, 404 | 409) => {
            Some(SessionAnswer::Gone("the runtime does not have the session".to_owned()))
        }
        (Answer::Refused(_) | Answer::Silent(_), _) => None,
    })
}

/// Ends a session; true when the runtime does not have it.
pub(super) async fn stop_session(keeper: &Rc<Keeper>, call: StopSession) -> Result<bool> {
    let path = format!("/assignments/{}/stop", call.session.assignment_id);
    let order = StopOrder { epoch: call.session.epoch, mode: call.mode, reason: call.reason };
    let answer: Answer<Value> = keeper.call(call.town_id, Method::Post, &path, Some(&order)).await?;
    keeper.tokens.borrow_mut().remove(&call.session.assignment_id);
    match answer {
        Answer::Done(view) => Ok(view.get("phase").and_then(Value::as_str) == Some("ended")),
        Answer::Refused(refused) => Ok(matches!(refused.status, 404 | 409)),
        Answer::Silent(why) => Err(Fault::new("order a stop", why).into()),
    }
}

/// Tells a session to finish. One that does not hear of it is told by the answer to its runtime's next heartbeat.
pub(super) async fn wrap_up_session(keeper: &Rc<Keeper>, call: WrapUpSession) -> Result<()> {
    let path = format!("/assignments/{}/wrap-up", call.session.assignment_id);
    let within_s = u32::try_from(FINISH_LIMIT.as_secs()).unwrap_or(u32::MAX);
    let order = WrapUpOrder { epoch: call.session.epoch, reason: call.reason, within_s };
    let _: Answer<Value> = keeper.call(call.town_id, Method::Post, &path, Some(&order)).await?;
    Ok(())
}

/// Pushes messages into a session.
pub(super) async fn push_to_session(keeper: &Rc<Keeper>, call: PushToSession) -> Result<Option<PushedMessages>> {
    let path = format!("/assignments/{}/messages", call.session.assignment_id);
    let push = PushMessages { epoch: call.session.epoch, messages: call.messages };
    Ok(match keeper.call(call.town_id, Method::Post, &path, Some(&push)).await? {
        Answer::Done(pushed) => Some(pushed),
        Answer::Refused(_) | Answer::Silent(_) => None,
    })
}

/// Runs a job.
pub(super) async fn run_job(keeper: &Rc<Keeper>, call: RunJob) -> Result<Option<JobAnswer>> {
    let setup = keeper.setup(call.town_id).await?;
    let order = JobOrder { env: setup.env, author: setup.author, ..call.order };
    let answer: Answer<JobView> = keeper.call(call.town_id, Method::Post, "/jobs", Some(&order)).await?;
    Ok(match answer {
        Answer::Done(_) => Some(JobAnswer::Accepted),
        Answer::Refused(refused) if is_not_now(&refused) => None,
        Answer::Refused(refused) => Some(JobAnswer::Invalid(refused.message)),
        Answer::Silent(_) => None,
    })
}

/// Cancels a job; one that is not there needs no cancelling.
pub(super) async fn cancel_job(keeper: &Rc<Keeper>, call: CancelJob) -> Result<()> {
    let _: Answer<Value> =
        keeper.call(call.town_id, Method::Delete, &format!("/jobs/{}", call.job_id), None::<&()>).await?;
    Ok(())
}

/// Lets the runtime look at a repository; its answer comes as a fact.
pub(super) async fn check_repo(keeper: &Rc<Keeper>, call: calls::CheckRepo) -> Result<()> {
    let look = CheckRepo { git_url: call.git_url, default_branch: call.default_branch };
    let path = format!("/rigs/{}/check", call.rig_id);
    let answer: Answer<Value> = keeper.call(call.town_id, Method::Post, &path, Some(&look)).await?;
    let why = match answer {
        Answer::Done(_) => return Ok(()),
        Answer::Refused(refused) => refused.message,
        Answer::Silent(why) => why,
    };
    crate::log::warn("the runtime does not look at a repository", &[("town.id", &call.town_id), ("why", &why)]);
    Err(Refusal::new(Code::RuntimeUnavailable, "The agent runtime could not be asked to look; try again soon").into())
}

/// The town is gone: the runtime ends its sessions and forgets it.
pub(super) async fn forget(keeper: &Rc<Keeper>, call: Forget) -> Result<()> {
    let was_attached = keeper.attached.replace(None).is_some();
    if was_attached && let Ok(control) = keeper.control(call.town_id) {
        let order = RemoveOrder { mode: StopMode::Discard };
        let answer: Answer<Value> = control.town(Method::Delete, call.town_id, "", Some(&order)).await;
        if let Answer::Silent(why) = answer {
            crate::log::warn("the runtime did not hear that the town is gone", &[("why", &why)]);
        }
    }
    if let Some(container) = keeper.object.container().filter(worker::Container::running) {
        container.destroy(None).await.map_err(|e| Fault::new("destroy the container", e))?;
    }
    clear(&keeper.sql)?;
    keeper.readers.borrow_mut().close();
    settings(&keeper.env)?.clock.set_alarm(&keeper.object, None).map_err(|e| Fault::new("delete the alarm", e))?;
    Ok(())
}

/// Settings changed: a runtime that is attached is told; another learns them when it is.
pub(super) async fn reconfigure(keeper: &Rc<Keeper>, call: Reconfigure) -> Result<()> {
    if keeper.attached.borrow().is_none() {
        return Ok(());
    }
    let setup = keeper.setup(call.town_id).await?;
    let answer: Answer<Value> = keeper.call(call.town_id, Method::Put, "/config", Some(&setup.config)).await?;
    if let Answer::Silent(why) = answer {
        crate::log::warn("the runtime did not hear of new settings", &[("why", &why)]);
    }
    Ok(())
}

/// What only the keeper knows: instance, token, environment, author.
async fn delivery(keeper: &Keeper, call: &StartSession, instance_id: gastown_core::id::InstanceId) -> Result<Delivery> {
    let setup = keeper.setup(call.town_id).await?;
    let SessionOrder { assignment, kind, .. } = &call.order;
    let subject = AgentSubject {
        town_id: call.town_id,
        rig_id: assignment.rig_id.rig(),
        agent_id: assignment.agent_id,
        owner: &setup.owner_user_id,
        role: kind.role(),
        assignment_id: assignment.assignment_id,
        epoch: assignment.epoch,
        generation: setup.credential_gen,
    };
    let minted = settings(&keeper.env)?.keys.mint_agent(&subject, wall_now())?;
    keeper.tokens.borrow_mut().insert(assignment.assignment_id, minted.expires_at);
    Ok(Delivery {
        instance_id,
        token: minted.token,
        token_expires_at: minted.expires_at,
        env: setup.env,
        author: setup.author,
        coauthor: setup.coauthor,
    })
}

fn start_refused(refused: Refused) -> StartAnswer {
    match refused.code.as_str() {
        "capacity" => StartAnswer::NoCapacity(refused.message),
        _ if is_not_now(&refused) => StartAnswer::NotNow(refused.message),
        _ => StartAnswer::Invalid { code: refused.code, message: refused.message },
    }
}

fn is_not_now(refused: &Refused) -> bool {
    refused.is_stranger() || matches!(refused.status, 401 | 408 | 429 | 500..=599)
}
