//! From the domain to orders: what the runtime is told for an assignment, the mayor, or a job. Pure: the nonce of the
//! prompts is an argument, and what only the runtime's keeper knows (instance, token, environment) is added last, by
//! [`SessionOrder::deliver`].

use crate::sorted::SortedMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::control::{
    Author, Deliver, JobOrder, Kind, MergeMessage, Message, MessagePriority, MessageSource as MessageOf, OrderedAgent,
    OrderedAssignment, OrderedPrompt, PROTOCOL, RemainingBudget, Repo, Resume, RigRef, Role, RuntimeConfig, RuntimeRig,
    StartOrder,
};
use crate::config::{EffectiveTown, effective_rig, effective_town};
use crate::id::{AgentId, AssignmentId, InstanceId, JobId, MailId, NudgeId};
use crate::limits::{GUPP_ESCALATE, GUPP_REMIND, GUPP_STOP, IDLE_EXIT, IDLE_NUDGES};
use crate::prompt::message::{Finish, Line, Person, Sender};
use crate::prompt::order::{self, Answer, EarlierRound, Gate, Left, Task, TriageRequest};
use crate::prompt::role::{self, RigEntry, Scope};
use crate::prompt::{Nonce, message};
use crate::protocol::is_feature_branch;
use crate::rig::assignment::Assignment;
use crate::rig::bead::Bead;
use crate::rig::mail::MailParty;
use crate::rig::nudge::{NudgeMode, NudgePriority, NudgeSource};
use crate::rig::review::{Review, ReviewKind, Round, Verdict};
use crate::rig::state::{Settings, State as RigState};
use crate::rig::{answer, triage, usage};
use crate::session::JobKind;
use crate::text::cut;
use crate::time::Timestamp;
use crate::town::state::{MayorMessage, MessageSource, State as TownState};

/// A start order without what only the runtime's keeper knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionOrder {
    /// Identity.
    pub assignment: OrderedAssignment,
    /// Purpose.
    pub kind: Kind,
    /// Who.
    pub agent: OrderedAgent,
    /// Title of the kilo session.
    pub title: String,
    /// Resolved model.
    pub model: String,
    /// Resolved small model.
    pub small_model: String,
    /// Repository; absent for triage and mayor.
    pub repo: Option<Repo>,
    /// Work branch.
    pub branch: Option<String>,
    /// Child of a landing: it works on the feature branch itself.
    pub landing_child: bool,
    /// Where a new branch starts.
    pub base: Option<String>,
    /// Make `base` from this branch when the remote lacks it.
    pub base_from: Option<String>,
    /// The commit under review, or the newest known head.
    pub commit: Option<String>,
    /// Saved work to start from.
    pub resume: Option<Resume>,
    /// What the bead's family may still spend.
    #[serde(default)]
    pub budget: Option<RemainingBudget>,
    /// Role text and first message.
    pub prompt: OrderedPrompt,
    /// Mayor: the last messages.
    pub history: Option<String>,
    /// Mayor: take the place of the live session, with the same conversation.
    #[serde(default)]
    pub is_swap: bool,
}

/// What the runtime's keeper adds to an order.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The runtime's present life.
    pub instance_id: InstanceId,
    /// Agent or mayor token.
    pub token: String,
    /// Its end.
    pub token_expires_at: Timestamp,
    /// The town's environment for tools.
    pub env: SortedMap<String, String>,
    /// Author of commits.
    pub author: Option<Author>,
    /// Name the agent as co-author.
    pub coauthor: bool,
}

impl SessionOrder {
    /// The complete order.
    pub fn deliver(self, delivery: Delivery) -> StartOrder {
        StartOrder {
            instance_id: delivery.instance_id,
            protocol: PROTOCOL,
            assignment: self.assignment,
            kind: self.kind,
            role: self.kind.role(),
            agent: self.agent,
            title: self.title,
            model: self.model,
            small_model: self.small_model,
            model_limits: SortedMap::new(),
            prices: SortedMap::new(),
            budget: self.budget,
            repo: self.repo,
            branch: self.branch,
            landing_child: self.landing_child,
            base: self.base,
            base_from: self.base_from,
            commit: self.commit,
            resume: self.resume,
            prompt: self.prompt,
            history: self.history,
            rigs: Vec::new(),
            env: delivery.env,
            author: delivery.author,
            coauthor: delivery.coauthor,
            token: delivery.token,
            token_expires_at: delivery.token_expires_at,
            swap: self.is_swap,
        }
    }
}

/// The order for a rig's assignment; none when the assignment or its bead is not in view, or was never resolved.
pub fn session(state: &RigState, assignment_id: AssignmentId, nonce: Nonce) -> Option<SessionOrder> {
    let assignment = state.assignments.get(&assignment_id)?;
    let bead = state.beads.get(&assignment.bead_id)?;
    let agent = state.agents.get(&assignment.agent_id)?;
    let settings = state.rig.settings.as_ref()?;
    let view = View { state, assignment, bead, agent: &agent.name, settings };
    let is_review = matches!(assignment.kind, Kind::Review | Kind::Landing);
    let has_repo = assignment.kind.role() != Role::Triage;
    Some(SessionOrder {
        assignment: OrderedAssignment {
            assignment_id,
            epoch: assignment.epoch,
            rig_id: RigRef::Rig(state.rig.rig_id),
            agent_id: assignment.agent_id,
            bead_id: Some(assignment.bead_id),
        },
        kind: assignment.kind,
        agent: OrderedAgent { name: agent.name.clone(), identity: agent.identity.clone() },
        title: cut(&bead.title, ORDER_TITLE_MAX),
        model: assignment.model.as_ref()?.to_string(),
        small_model: assignment.small_model.as_ref()?.to_string(),
        repo: has_repo.then(|| repo(state)),
        branch: assignment.branch.clone().filter(|_| assignment.kind.may_push()),
        landing_child: view.is_landing_child(),
        base: assignment.base.clone().filter(|_| assignment.kind.may_push()),
        base_from: view.base_from(),
        commit: assignment.head_commit.clone().filter(|_| is_review || assignment.kind.may_push()),
        resume: assignment.saved.as_ref().map(|(ref_name, commit)| Resume {
            ref_name: Some(ref_name.clone()),
            commit: Some(commit.clone()),
            ..Resume::default()
        }),
        budget: remaining(state, bead),
        prompt: OrderedPrompt { system: view.system(nonce), first: Some(view.first(nonce)) },
        history: None,
        is_swap: false,
    })
}

/// What is left of the budget of a bead's family; absent without one.
fn remaining(state: &RigState, bead: &Bead) -> Option<RemainingBudget> {
    let (limit, spent) = (usage::limit_of_family(state, bead), usage::of_family(state, bead));
    let micros = limit.micros.map(|limit| limit.saturating_sub(spent.cost_micros));
    #[expect(clippy::cast_precision_loss, reason = "micro-dollars of a budget are below 2^53")]
    let remaining_usd = micros.map(|micros| micros as f64 / 1_000_000.0);
    let remaining_tokens = limit.tokens.map(|limit| limit.saturating_sub(spent.tokens()));
    (remaining_usd.is_some() || remaining_tokens.is_some())
        .then_some(RemainingBudget { remaining_usd, remaining_tokens })
}

/// The order for the mayor's session: no repository, no branch, no first message.
pub fn mayor(state: &TownState, lines: &[Line<'_>], nonce: Nonce) -> Option<SessionOrder> {
    let mayor = &state.mayor;
    let assignment = OrderedAssignment {
        assignment_id: mayor.assignment_id?,
        epoch: mayor.epoch,
        rig_id: RigRef::Mayor(state.town.town_id),
        agent_id: mayor.agent_id,
        bead_id: None,
    };
    Some(SessionOrder {
        assignment,
        kind: Kind::Mayor,
        agent: OrderedAgent { name: "Mayor".to_owned(), identity: mayor.identity.clone() },
        title: "Mayor".to_owned(),
        model: mayor.model.as_ref()?.to_string(),
        small_model: mayor.small_model.as_ref()?.to_string(),
        repo: None,
        branch: None,
        landing_child: false,
        base: None,
        base_from: None,
        commit: None,
        resume: None,
        budget: None,
        prompt: OrderedPrompt { system: mayor_role(state, nonce), first: None },
        history: (!lines.is_empty()).then(|| message::history(lines, nonce)),
        is_swap: false,
    })
}

/// A nudge as its session reads it; none when the session or the nudge is not in view.
pub fn nudge(state: &RigState, assignment_id: AssignmentId, nudge_id: NudgeId, nonce: Nonce) -> Option<Message> {
    let (assignment, nudge) = (state.assignments.get(&assignment_id)?, state.nudges.get(&nudge_id)?);
    let finish = finish(assignment);
    let (source, text) = match &nudge.source {
        NudgeSource::Idle if assignment.idle_nudges < IDLE_NUDGES => (MessageOf::Nudge, message::idle_first(finish)),
        NudgeSource::Idle => (MessageOf::Nudge, message::idle_second(finish, IDLE_EXIT)),
        NudgeSource::Silence => {
            let text = match nudge.priority {
                NudgePriority::Normal => message::silence(finish, GUPP_REMIND),
                NudgePriority::Urgent => message::silence_urgent(finish, GUPP_ESCALATE, GUPP_STOP - GUPP_ESCALATE),
            };
            (MessageOf::Nudge, text)
        }
        NudgeSource::Escalation(by) => (MessageOf::Escalation, message::answer(by, &nudge.message, nonce)),
        NudgeSource::User(user) => {
            let person = Person { author: user, text: &nudge.message, ui_context: None };
            (MessageOf::User, message::person(&person, nonce))
        }
        NudgeSource::Agent(agent_id) => {
            let name = state.agents.get(agent_id).map_or("an agent", |agent| agent.name.as_str());
            (MessageOf::Nudge, message::nudge(&format!("{name} ({agent_id})"), &nudge.message, nonce))
        }
        NudgeSource::Mayor => (MessageOf::Nudge, message::nudge("the mayor", &nudge.message, nonce)),
        NudgeSource::System => (MessageOf::System, message::nudge("Gas Town", &nudge.message, nonce)),
    };
    let is_urgent = nudge.priority == NudgePriority::Urgent;
    let deliver = if nudge.mode == NudgeMode::Immediate || is_urgent { Deliver::Now } else { Deliver::Idle };
    let priority = if is_urgent { MessagePriority::Urgent } else { MessagePriority::Normal };
    Some(Message { message_id: nudge_id.to_string(), source, deliver, priority, text, ui_context: None })
}

/// A mail as its receiver's session reads it; none when it is not in view.
pub fn mail(state: &RigState, mail_id: MailId, nonce: Nonce) -> Option<Message> {
    let mail = state.mail.get(&mail_id)?;
    let sender_id = mail.from_id.parse().ok();
    let name = sender_id.and_then(|id| state.agents.get(&id)).map_or("an agent", |agent| agent.name.as_str());
    let sender = match (mail.from_kind, sender_id) {
        (MailParty::Agent, Some(agent_id)) => Sender::Agent { name, agent_id },
        (MailParty::Mayor, _) => Sender::Mayor,
        (MailParty::Agent | MailParty::User, _) => Sender::Person { name: &mail.from_id },
        (MailParty::System, _) => Sender::System,
    };
    Some(Message {
        message_id: mail_id.to_string(),
        source: if mail.from_kind == MailParty::User { MessageOf::User } else { MessageOf::Mail },
        deliver: if mail.from_kind == MailParty::User { Deliver::Now } else { Deliver::Idle },
        priority: MessagePriority::Normal,
        text: message::mail(sender, &mail.subject, &mail.body, nonce),
        ui_context: None,
    })
}

fn finish(assignment: &Assignment) -> Finish {
    match assignment.kind.role() {
        Role::Refinery => Finish::Review,
        Role::Triage => Finish::Triage,
        Role::Polecat | Role::Mayor => Finish::Work,
    }
}

/// A message to the mayor as its session reads it.
pub fn mayor_message(message: &MayorMessage, nonce: Nonce) -> Message {
    let author = message.source_id.as_deref().unwrap_or("a person");
    let text = match message.source {
        MessageSource::User => {
            message::person(&Person { author, text: &message.body, ui_context: message.ui_context.as_deref() }, nonce)
        }
        MessageSource::System => message::notice(&message.body, nonce),
        MessageSource::Agent => message::mail_to_mayor(author, &message.body, nonce),
    };
    Message {
        message_id: message.message_id.to_string(),
        source: match message.source {
            MessageSource::User => MessageOf::User,
            MessageSource::System => MessageOf::System,
            MessageSource::Agent => MessageOf::Mail,
        },
        deliver: Deliver::Now,
        priority: MessagePriority::Normal,
        text,
        ui_context: None,
    }
}

/// The order for a rig's job.
pub fn job(state: &RigState, job_id: JobId) -> Option<JobOrder> {
    let job = state.jobs.get(&job_id)?;
    let message = MergeMessage {
        title: job.spec.title.clone(),
        bead_id: job.spec.bead_id,
        review_id: job.review_id.unwrap_or(job.spec.bead_id),
    };
    Some(JobOrder {
        job_id,
        kind: job.kind,
        rig_id: state.rig.rig_id,
        repo: repo(state),
        commit: job.spec.commit.clone(),
        branch: Some(job.spec.branch.clone()),
        target: job.spec.target.clone().filter(|_| job.kind == JobKind::Merge),
        onto: job.spec.target.clone().filter(|_| job.kind == JobKind::Gates),
        gates: job.spec.gates.clone(),
        timeout_minutes: job.spec.timeout_minutes,
        env: SortedMap::new(),
        author: None,
        message: (job.kind == JobKind::Merge).then_some(message),
    })
}

/// What all of a town's sessions have in common.
pub fn runtime_config(state: &TownState) -> RuntimeConfig {
    let settings = effective_town(&state.town.config);
    RuntimeConfig {
        config_version: runtime_config_version(state),
        secrets_version: state.town.secrets_version,
        max_sessions: settings.max_sessions,
        author: author(&settings),
        coauthor: !settings.disable_ai_coauthor,
        rigs: state
            .active_rigs()
            .map(|rig| RuntimeRig {
                rig_id: rig.rig_id,
                name: rig.name.clone(),
                git_url: rig.git_url.clone(),
                default_branch: rig.default_branch.clone(),
                target_branch: rig.target().to_owned(),
                push_flags: effective_rig(&state.town.config, &rig.config).git_push_flags,
            })
            .collect(),
    }
}

/// Grows with every change that [`runtime_config`] shows: settings of the town, and rows of its rigs.
pub fn runtime_config_version(state: &TownState) -> u64 {
    state.town.config_version + state.town.version + state.rigs.values().map(|rig| rig.config_version).sum::<u64>()
}

/// The town's author of commits, when both parts are set.
pub fn author(settings: &EffectiveTown) -> Option<Author> {
    let (name, email) = (settings.git_author_name.clone()?, settings.git_author_email.clone()?);
    Some(Author { name, email })
}

/// Title of a kilo session (container.md 3.1).
const ORDER_TITLE_MAX: usize = 200;

fn repo(state: &RigState) -> Repo {
    Repo {
        git_url: state.rig.git_url.clone(),
        default_branch: state.rig.default_branch.clone(),
        target_branch: state.rig.target_branch.clone(),
        push_flags: state.rig.settings.as_ref().map(|s| s.config.git_push_flags.clone()).unwrap_or_default(),
    }
}

fn mayor_role(state: &TownState, nonce: Nonce) -> String {
    let rigs: Vec<RigEntry<'_>> = state
        .active_rigs()
        .map(|rig| RigEntry {
            rig_id: rig.rig_id,
            name: &rig.name,
            git_url: &rig.git_url,
            default_branch: &rig.default_branch,
            target_branch: rig.target(),
            purpose: rig.purpose.as_deref(),
            folder: None,
        })
        .collect();
    let custom = effective_town(&state.town.config).mayor_instructions;
    role::mayor(&role::Mayor { town: &state.town.name, rigs: &rigs, custom: custom.as_deref() }, nonce)
}

/// What is known of a triage request, a line per field; text stays as it is.
fn context_text(context: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match context.as_object() {
        Some(fields) => {
            let lines = fields.iter().map(|(key, value)| format!("{key}: {}", plain(value)));
            lines.collect::<Vec<_>>().join("\n")
        }
        None => plain(context),
    }
}

/// Everything that the prompts of one assignment are made of.
struct View<'a> {
    state: &'a RigState,
    assignment: &'a Assignment,
    bead: &'a Bead,
    agent: &'a str,
    settings: &'a Settings,
}

impl View<'_> {
    fn system(&self, nonce: Nonce) -> String {
        let custom = &self.settings.config.custom_instructions;
        let (agent, rig) = (self.agent, self.settings.rig_models.name.as_str());
        match self.assignment.kind.role() {
            Role::Refinery => role::refinery(
                &role::Refinery {
                    agent,
                    rig,
                    review: self.bead.bead_id,
                    branch: self.branch(),
                    target: self.target(),
                    commit: self.assignment.head_commit.as_deref().unwrap_or_default(),
                    scope: if self.assignment.kind == Kind::Landing { Scope::Landing } else { Scope::Task },
                    custom: custom.refinery.as_deref(),
                },
                nonce,
            ),
            Role::Triage => role::triage(
                &role::Triage { agent, rig, bead: self.bead.bead_id, custom: custom.polecat.as_deref() },
                nonce,
            ),
            Role::Polecat | Role::Mayor => role::polecat(
                &role::Polecat {
                    agent,
                    rig,
                    bead: self.bead.bead_id,
                    branch: self.branch(),
                    base: self.assignment.base.as_deref().unwrap_or_default(),
                    target: self.target(),
                    gates: &self.settings.config.gates,
                    custom: custom.polecat.as_deref(),
                },
                nonce,
            ),
        }
    }

    fn first(&self, nonce: Nonce) -> String {
        let checkpoint = self.bead.checkpoint.as_ref().map(ToString::to_string);
        let answers: Vec<Answer<'_>> =
            answer::of_bead(self.bead).into_iter().map(|(by, message)| Answer { by, message }).collect();
        let left = Left { checkpoint: checkpoint.as_deref(), resume: self.resume(), answers: &answers };
        let own = Task { title: &self.bead.title, body: self.bead.body.as_deref() };
        let (bead, branch, target) = (self.bead.bead_id, self.branch(), self.target());
        let pr_url = self.bead.metadata.get("pr_url").and_then(|url| url.as_str()).unwrap_or_default();
        let findings = self.bead.body.as_deref().unwrap_or_default();
        match self.assignment.kind {
            Kind::Work | Kind::Mayor => {
                let base = self.assignment.base.as_deref().unwrap_or_default();
                order::work(&order::Work { bead, branch, base, target, task: own, predecessors: &[], left }, nonce)
            }
            Kind::Rework => {
                let (round, files) = (self.round(), self.files());
                let task = self.task_of_root();
                order::rework(
                    &order::Rework { bead, branch, target, round, findings, files: &files, task, left },
                    nonce,
                )
            }
            Kind::Conflict => {
                let (files, task) = (self.bead.files_in_conflict(), self.task_of_root());
                let has_feedback = self.bead.metadata.contains_key("has_feedback");
                let feedback = has_feedback.then_some(findings);
                let conflict = order::Conflict { bead, branch, target, files: &files, task, feedback, left };
                order::conflict(&conflict, nonce)
            }
            Kind::Feedback => {
                let task = self.task_of_root();
                order::feedback(
                    &order::Feedback { bead, branch, target, pr_url, comments: findings, task, left },
                    nonce,
                )
            }
            Kind::Fixup => order::fixup(&order::Fixup { bead, branch, target, pr_url, task: own, left }, nonce),
            Kind::Review | Kind::Landing => self.review(nonce),
            Kind::Triage => self.triage(nonce),
        }
    }

    fn triage(&self, nonce: Nonce) -> String {
        let items = triage::requests(self.bead);
        let names: Vec<Option<&str>> = items.iter().map(|item| self.name_of(item.asked.agent_id)).collect();
        let actions: Vec<Vec<&str>> =
            items.iter().map(|item| item.asked.options.iter().map(String::as_str).collect()).collect();
        let contexts: Vec<String> = items.iter().map(|item| context_text(&item.asked.context)).collect();
        let requests: Vec<TriageRequest<'_>> = items
            .iter()
            .zip(&names)
            .zip(actions.iter().zip(&contexts))
            .filter(|((item, _), _)| item.decided.is_none())
            .map(|((item, name), (actions, context))| TriageRequest {
                request: item.asked.request_id,
                age_minutes: self.assignment.queued_at.since(item.created_at).as_secs() / 60,
                bead: item.asked.bead_id,
                agent: *name,
                actions,
                context,
            })
            .collect();
        order::triage(self.bead.bead_id, &requests, nonce)
    }

    fn name_of(&self, agent_id: Option<AgentId>) -> Option<&str> {
        agent_id.and_then(|id| self.state.agents.get(&id)).map(|agent| agent.name.as_str())
    }

    fn review(&self, nonce: Nonce) -> String {
        let review = self.state.reviews.get(&self.bead.bead_id);
        let commit = self.assignment.head_commit.as_deref().unwrap_or_default();
        let run = self.state.gate_run(self.bead.bead_id, commit);
        let gates: Vec<Gate<'_>> = run
            .into_iter()
            .flat_map(|run| &run.gates)
            .map(|gate| Gate { command: &gate.command, status: gate.status.as_str(), output: &gate.output_tail })
            .collect();
        let texts: Vec<(u32, String)> = self
            .rounds_of(self.bead)
            .filter(|round| round.verdict == Verdict::RequestChanges)
            .map(|round| (round.n, round.text()))
            .collect();
        let earlier: Vec<EarlierRound<'_>> =
            texts.iter().map(|(number, findings)| EarlierRound { number: *number, findings }).collect();
        order::review(
            &order::Review {
                review: self.bead.bead_id,
                bead: review.and_then(|review| review.source_id).unwrap_or(self.bead.bead_id),
                branch: self.branch(),
                target: self.target(),
                commit,
                round: self.round_of(review),
                task: self.task_of_root(),
                summary: review.and_then(|review| review.summary.as_deref()),
                gates: &gates,
                earlier: &earlier,
            },
            nonce,
        )
    }

    fn branch(&self) -> &str {
        self.assignment.branch.as_deref().unwrap_or_default()
    }

    fn target(&self) -> &str {
        self.assignment.target.as_deref().unwrap_or(&self.state.rig.target_branch)
    }

    fn resume(&self) -> Option<order::Resume<'_>> {
        self.assignment.saved.as_ref().map(|(_, commit)| order::Resume { commit, note: None })
    }

    /// The work that everything here serves in the end; the bead itself when its root is not in view.
    fn task_of_root(&self) -> Task<'_> {
        let root = self.state.beads.get(&self.bead.root_id).unwrap_or(self.bead);
        Task { title: &root.title, body: root.body.as_deref() }
    }

    fn parent_review(&self) -> Option<&Review> {
        self.bead.parent_id.and_then(|parent| self.state.reviews.get(&parent))
    }

    fn is_landing_child(&self) -> bool {
        self.parent_review().is_some_and(|review| review.kind == ReviewKind::Landing)
    }

    /// The first task of a convoy finds no feature branch: it is made from the merge target (domain.md 8).
    fn base_from(&self) -> Option<String> {
        let base = self.assignment.base.as_deref().filter(|base| is_feature_branch(base))?;
        let is_own = self.assignment.branch.as_deref() == Some(base);
        (self.assignment.kind.may_push() && !is_own).then(|| self.state.rig.target_branch.clone())
    }

    fn round(&self) -> order::Round {
        let number = self.parent_review().map_or(1, |review| review.round);
        order::Round { number, max: self.settings.config.max_review_rounds }
    }

    fn round_of(&self, review: Option<&Review>) -> order::Round {
        order::Round { number: review.map_or(0, |r| r.round) + 1, max: self.settings.config.max_review_rounds }
    }

    fn rounds_of(&self, bead: &Bead) -> impl Iterator<Item = &Round> {
        let review_id = bead.bead_id;
        self.state.rounds.range((review_id, 0)..=(review_id, u32::MAX)).map(|(_, round)| round)
    }

    /// Files that the newest judgement of the parent review names.
    fn files(&self) -> Vec<String> {
        let Some(review) = self.parent_review() else { return Vec::new() };
        let newest = self.state.rounds.range((review.bead_id, 0)..=(review.bead_id, u32::MAX)).next_back();
        newest.into_iter().flat_map(|(_, round)| &round.findings).filter_map(|finding| finding.file.clone()).collect()
    }
}
