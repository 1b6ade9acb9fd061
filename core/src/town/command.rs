//! Commands: what people and the mayor ask of the town. Each is checked before anything is written, so that a refusal
//! changes nothing.

use serde_json::json;

use super::convoy::{self, ConvoyCommand};
use super::escalation::AgentEscalation;
use super::mail::TownMail;
use super::mayor;
use super::plan::{Effect, Plan, Write};
use super::state::{MayorMessage, MayorPhase, MessageSource, MessageState, Pause, RigEntry, TownStatus};
use super::{escalation, rules, state, triage};
use crate::config::{RigConfig, TownConfig};
use crate::id::{BeadId, ConvoyId, EscalationId, MailId, MessageId, RigId};
use crate::limits::{FINISH_LIMIT, RIGS_PER_TOWN};
use crate::protocol::{Activity, BeadStatus, MailTo, TriageAction, TriageAsked, TriageKind};
use crate::time::Timestamp;

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Give the town another name.
    Rename(String),
    /// Replace the settings by a checked document.
    SetConfig {
        /// The document after the patch.
        config: Box<TownConfig>,
        /// Whether a secret changed with it.
        secrets_changed: bool,
        /// The keys that differ.
        changed: Vec<String>,
        /// Who asks.
        actor: String,
    },
    /// Connect a repository.
    AddRig(Box<NewRig>),
    /// Change a rig's row; absent fields keep their value, `Some(None)` clears.
    UpdateRig {
        /// Which.
        rig_id: RigId,
        /// What.
        patch: RigPatch,
    },
    /// Replace a rig's settings by a checked document.
    SetRigConfig {
        /// Which.
        rig_id: RigId,
        /// The document after the patch.
        config: Box<RigConfig>,
        /// The keys that differ.
        changed: Vec<String>,
        /// Who asks.
        actor: String,
    },
    /// Disconnect a repository.
    RemoveRig(RigId),
    /// Say something to the mayor.
    PostMessage {
        /// Repeats are recognised by it.
        message_id: MessageId,
        /// Who it is from.
        source: MessageSource,
        /// Exactly who.
        source_id: Option<String>,
        /// Text.
        body: String,
        /// What the person looked at.
        ui_context: Option<String>,
    },
    /// Have a mayor's session, without a message.
    EnsureMayor,
    /// End the mayor's session and have a new one, with the same conversation.
    RestartMayor,
    /// End the mayor's session; the next message starts another.
    EndMayor,
    /// Let nothing new start.
    Pause(Pause),
    /// Let it start again.
    Resume,
    /// A person says that what kept starts from succeeding is mended: one session may probe.
    ResetBreaker,
    /// Refuse every token that was made so far.
    RevokeCredentials,
    /// About a convoy.
    Convoy(Box<ConvoyCommand>),
    /// A person has seen it.
    Acknowledge {
        /// Which.
        escalation_id: EscalationId,
        /// Who.
        actor: String,
        /// What they add.
        note: Option<String>,
    },
    /// A person answers an escalation.
    Reply {
        /// Which.
        escalation_id: EscalationId,
        /// Who.
        actor: String,
        /// The answer.
        message: String,
        /// It is settled with that.
        acknowledges: bool,
        /// Try its bead again.
        retries: bool,
    },
    /// An agent asks people to see something; triage looks first.
    Escalate(Box<AgentEscalation>),
    /// Mail for the mayor, a person, or an agent of another rig.
    SendMail(Box<TownMail>),
}

/// A repository to connect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewRig {
    /// The id, when the caller has one already.
    pub rig_id: Option<RigId>,
    /// For people.
    pub name: String,
    /// Where it lives.
    pub git_url: String,
    /// Its default branch.
    pub default_branch: String,
    /// Branch that work is merged into.
    pub target_branch: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// Installation of a forge's app.
    pub integration_id: Option<String>,
    /// Its own settings from the start.
    pub config: RigConfig,
}

/// Fields of a rig's row to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RigPatch {
    /// For people.
    pub name: Option<String>,
    /// What it is for.
    pub purpose: Option<Option<String>>,
    /// Its default branch.
    pub default_branch: Option<String>,
    /// Branch that work is merged into.
    pub target_branch: Option<Option<String>>,
}

/// What a command did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The town's row changed.
    Town,
    /// This rig was connected, changed or disconnected.
    Rig(RigId),
    /// This message waits for the mayor, or was known.
    Message(MessageId),
    /// The mayor's session is live or ordered.
    Mayor,
    /// This convoy was made or changed.
    Convoy(ConvoyId),
    /// This escalation was raised, answered or closed.
    Escalation(EscalationId),
    /// The mail is on its way.
    Mail(MailId),
}

/// Why a command was refused; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such rig.
    NoSuchRig(RigId),
    /// There is no such open escalation.
    NoSuchEscalation(EscalationId),
    /// An id in the body names nothing.
    UnknownReference(String),
    /// Another rig of the town has this name.
    DuplicateName(String),
    /// The town is full.
    LimitReached(String),
    /// There is no such live convoy.
    NoSuchConvoy(ConvoyId),
    /// The convoy has ended, or lands and takes no more tasks.
    ConvoyClosed(ConvoyId),
    /// Only a staged convoy can be started.
    NotStaged(ConvoyId),
    /// Several tasks without any dependency, and nobody said that this is meant.
    PlanUnclear,
    /// The tasks would wait for each other.
    DependencyCycle(Vec<BeadId>),
    /// A task waits for tasks of its convoy only, and this is none.
    NotAMember(BeadId),
    /// The bead has ended.
    TerminalBead(BeadId, BeadStatus),
    /// A bead is in one convoy at most.
    InAnotherConvoy(BeadId, ConvoyId),
    /// Only a failed task can be tried again or left out.
    NotFailed(BeadId),
    /// Nothing of the convoy waits for a decision.
    NothingFailed(ConvoyId),
    /// The state does not allow it.
    IllegalTransition(String),
    /// The same convoy was made a moment ago.
    ProbableDuplicate(ConvoyId),
}

/// Applies one command, or refuses it and changes nothing.
pub fn apply(plan: &mut Plan, command: Command) -> Result<Applied, Refusal> {
    match command {
        Command::Rename(name) => {
            plan.update_town(|town| town.name = name);
            Ok(Applied::Town)
        }
        Command::SetConfig { config, secrets_changed, changed, actor } => {
            set_config(plan, *config, secrets_changed, changed, actor);
            Ok(Applied::Town)
        }
        Command::AddRig(new) => add_rig(plan, *new),
        Command::UpdateRig { rig_id, patch } => update_rig(plan, rig_id, patch),
        Command::SetRigConfig { rig_id, config, changed, actor } => {
            known_rig(plan, rig_id)?;
            plan.update_rig(rig_id, |rig| {
                rig.config = *config;
                rig.config_version += 1;
            });
            plan.write(Write::Audit { actor, action: "rig.config", target: rig_id.to_string(), changes: changed });
            Ok(Applied::Rig(rig_id))
        }
        Command::RemoveRig(rig_id) => remove_rig(plan, rig_id),
        Command::PostMessage { message_id, source, source_id, body, ui_context } => {
            post_message(plan, message_id, source, source_id, body, ui_context);
            Ok(Applied::Message(message_id))
        }
        Command::EnsureMayor => {
            let now = plan.now();
            if plan.state().mayor.phase == MayorPhase::Absent && plan.state().mayor.wanted_at.is_none() {
                plan.update_mayor(|mayor| mayor.wanted_at = Some(now));
            }
            Ok(Applied::Mayor)
        }
        Command::RestartMayor => {
            restart_mayor(plan);
            Ok(Applied::Mayor)
        }
        Command::EndMayor => {
            if end_mayor(plan) {
                plan.update_mayor(|mayor| mayor.wanted_at = None);
            }
            Ok(Applied::Mayor)
        }
        Command::Pause(pause) => {
            if plan.state().town.pause.as_ref() != Some(&pause) {
                plan.update_town(|town| {
                    town.status = TownStatus::Paused;
                    town.pause = Some(pause);
                });
            }
            Ok(Applied::Town)
        }
        Command::Resume => {
            if plan.state().town.status == TownStatus::Paused {
                plan.update_town(|town| {
                    town.status = TownStatus::Active;
                    town.pause = None;
                });
            }
            Ok(Applied::Town)
        }
        Command::RevokeCredentials => {
            plan.update_town(|town| town.credential_gen += 1);
            Ok(Applied::Town)
        }
        Command::ResetBreaker => {
            rules::breaker::half_open(plan);
            Ok(Applied::Town)
        }
        Command::Convoy(command) => convoy::command::apply(plan, *command),
        Command::Acknowledge { escalation_id, actor, note } => {
            let key = open_key(plan, escalation_id)?;
            escalation::acknowledge(plan, &key, &actor, note);
            Ok(Applied::Escalation(escalation_id))
        }
        Command::Reply { escalation_id, actor, message, acknowledges, retries } => {
            let key = open_key(plan, escalation_id)?;
            escalation::reply(plan, &key, &actor, message, retries);
            if acknowledges {
                escalation::acknowledge(plan, &key, &actor, None);
            }
            Ok(Applied::Escalation(escalation_id))
        }
        Command::Escalate(raised) => escalate(plan, *raised),
        Command::SendMail(mail) => send_mail(plan, *mail),
    }
}

fn set_config(plan: &mut Plan, config: TownConfig, secrets_changed: bool, changed: Vec<String>, actor: String) {
    plan.update_town(|town| {
        town.config = config;
        town.config_version += 1;
        town.secrets_version += u64::from(secrets_changed);
    });
    let target = plan.state().town.town_id.to_string();
    plan.write(Write::Audit { actor, action: "town.config", target, changes: changed });
    rules::breaker::half_open(plan);
    if plan.state().mayor.phase != MayorPhase::Absent {
        plan.update_mayor(|mayor| mayor.is_swap_wanted = true);
    }
}

fn add_rig(plan: &mut Plan, new: NewRig) -> Result<Applied, Refusal> {
    if let Some(known) = new.rig_id.filter(|id| plan.state().rigs.contains_key(id)) {
        return Ok(Applied::Rig(known));
    }
    check_name(plan, &new.name, None)?;
    if plan.state().rigs.len() >= RIGS_PER_TOWN {
        return Err(Refusal::LimitReached(format!("a town has at most {RIGS_PER_TOWN} rigs")));
    }
    let now = plan.now();
    let rig_id = new.rig_id.unwrap_or_else(|| plan.mint());
    let tag = free_tag(plan, rig_id);
    plan.write(Write::Rig(Box::new(RigEntry {
        rig_id,
        tag,
        name: new.name,
        git_url: new.git_url,
        default_branch: new.default_branch,
        target_branch: new.target_branch,
        purpose: new.purpose,
        integration_id: new.integration_id,
        config: new.config,
        config_version: 1,
        status: TownStatus::Active,
        access: json!({ "state": "unknown", "can_push": null, "message": null, "checked_at": null }),
        activity: Activity::default(),
        reported_at: None,
        created_at: now,
        updated_at: now,
        version: 1,
    })));
    Ok(Applied::Rig(rig_id))
}

/// The shortest prefix of the id, at least 8 digits, that no other rig of the town has.
fn free_tag(plan: &Plan, rig_id: RigId) -> String {
    let is_taken = |tag: &String| plan.state().rigs.values().any(|rig| rig.tag.starts_with(tag.as_str()));
    (8..=32).map(|digits| rig_id.digits(digits)).find(|tag| !is_taken(tag)).unwrap_or_else(|| rig_id.digits(32))
}

fn update_rig(plan: &mut Plan, rig_id: RigId, patch: RigPatch) -> Result<Applied, Refusal> {
    known_rig(plan, rig_id)?;
    if let Some(name) = &patch.name {
        check_name(plan, name, Some(rig_id))?;
    }
    plan.update_rig(rig_id, |rig| {
        let before = (rig.default_branch.clone(), rig.target_branch.clone());
        rig.name = patch.name.unwrap_or_else(|| rig.name.clone());
        rig.purpose = patch.purpose.unwrap_or_else(|| rig.purpose.clone());
        rig.default_branch = patch.default_branch.unwrap_or_else(|| rig.default_branch.clone());
        rig.target_branch = patch.target_branch.unwrap_or_else(|| rig.target_branch.clone());
        if before != (rig.default_branch.clone(), rig.target_branch.clone()) {
            rig.config_version += 1;
        }
    });
    Ok(Applied::Rig(rig_id))
}

fn remove_rig(plan: &mut Plan, rig_id: RigId) -> Result<Applied, Refusal> {
    known_rig(plan, rig_id)?;
    let slots: Vec<_> = plan.state().slots.values().filter(|s| s.rig_id == rig_id).map(|s| s.assignment_id).collect();
    for assignment_id in slots {
        plan.write(Write::RemoveSlot(assignment_id));
    }
    let raised: Vec<String> = plan
        .state()
        .escalations
        .values()
        .filter(|escalation| escalation.rig_id == Some(rig_id))
        .map(|escalation| escalation.dedup_key.clone())
        .collect();
    for dedup_key in raised {
        escalation::resolve(plan, &dedup_key, "system");
    }
    let config = plan.state().town.config.clone();
    let without = config.clone().without_rig(rig_id);
    if without != config {
        plan.update_town(|town| {
            town.config = without;
            town.config_version += 1;
        });
    }
    plan.write(Write::RemoveRig(rig_id));
    convoy::fact::rig_removed(plan, rig_id);
    Ok(Applied::Rig(rig_id))
}

/// Stored before the answer; a repeat of the id is the same message. Each is later than the one before it, so that the
/// order of the inbox is the order of asking.
pub(super) fn post_message(
    plan: &mut Plan,
    message_id: MessageId,
    source: MessageSource,
    source_id: Option<String>,
    body: String,
    ui_context: Option<String>,
) {
    if plan.state().inbox.contains_key(&message_id) {
        return;
    }
    let newest = plan.state().inbox.values().map(|message| message.created_at).max();
    let after = |newest: Timestamp| Timestamp::from_ms(newest.ms() + 1);
    let created_at = plan.now().max(newest.map_or(Timestamp::from_ms(0), after));
    plan.write(Write::Message(MayorMessage {
        message_id,
        source,
        source_id,
        body,
        ui_context,
        state: MessageState::Queued,
        created_at,
        sent_at: None,
        delivered_at: None,
    }));
    if source == state::MessageSource::User {
        let now = plan.now();
        plan.update_mayor(|mayor| {
            mayor.last_user_at = Some(now);
            mayor.not_before = None;
        });
    }
}

fn restart_mayor(plan: &mut Plan) {
    let now = plan.now();
    if end_mayor(plan) {
        plan.update_mayor(|mayor| mayor.wanted_at = Some(now));
    } else if plan.state().mayor.phase == MayorPhase::Absent && !plan.state().drain.is_draining {
        mayor::start(plan);
    }
}

/// Has the live session end; false where none takes messages any more.
fn end_mayor(plan: &mut Plan) -> bool {
    let mayor = plan.state().mayor.clone();
    match (mayor.phase, mayor.assignment_id) {
        (MayorPhase::Starting | MayorPhase::Running, Some(assignment_id)) => {
            let lease = plan.now() + FINISH_LIMIT;
            plan.update_mayor(|mayor| {
                mayor.phase = MayorPhase::Finishing;
                mayor.lease_until = Some(lease);
            });
            plan.effect(Effect::StopMayor { assignment_id, epoch: mayor.epoch });
            true
        }
        (MayorPhase::Absent | MayorPhase::Starting | MayorPhase::Running | MayorPhase::Finishing, _) => false,
    }
}

fn open_key(plan: &Plan, escalation_id: EscalationId) -> Result<String, Refusal> {
    let open = escalation::find(plan, escalation_id).map(|open| open.dedup_key.clone());
    open.ok_or(Refusal::NoSuchEscalation(escalation_id))
}

/// The escalation stands for people at once; triage may settle it before one looks.
fn escalate(plan: &mut Plan, raised: AgentEscalation) -> Result<Applied, Refusal> {
    known_rig(plan, raised.rig_id)?;
    let rig_id = raised.rig_id;
    let asked = TriageAsked {
        request_id: plan.mint(),
        kind: TriageKind::Escalation,
        agent_id: Some(raised.agent_id),
        bead_id: raised.bead_id,
        assignment_id: raised.assignment_id,
        options: TriageAction::ALL.iter().map(ToString::to_string).collect(),
        context: json!({ "title": raised.title, "body": raised.body, "metadata": raised.metadata }),
    };
    let escalation_id = escalation::raise_by_agent(plan, raised);
    triage::ask(plan, rig_id, asked, Some(escalation_id));
    Ok(Applied::Escalation(escalation_id))
}

fn send_mail(plan: &mut Plan, mail: TownMail) -> Result<Applied, Refusal> {
    if let MailTo::Agent { rig_id, agent_id } = &mail.to
        && !plan.state().rigs.contains_key(rig_id)
    {
        return Err(Refusal::UnknownReference(agent_id.to_string()));
    }
    let mail_id = mail.mail_id;
    plan.route(mail);
    Ok(Applied::Mail(mail_id))
}

fn known_rig(plan: &Plan, rig_id: RigId) -> Result<(), Refusal> {
    if plan.state().rigs.contains_key(&rig_id) { Ok(()) } else { Err(Refusal::NoSuchRig(rig_id)) }
}

fn check_name(plan: &Plan, name: &str, of: Option<RigId>) -> Result<(), Refusal> {
    let is_taken =
        plan.state().rigs.values().any(|rig| Some(rig.rig_id) != of && rig.name.to_lowercase() == name.to_lowercase());
    if is_taken { Err(Refusal::DuplicateName(name.to_owned())) } else { Ok(()) }
}
