//! What a rig can be asked, by the Worker, by its Town and by its TownContainer. One type per call, with its reply.

use gastown_core::id::{AgentId, AssignmentId, BeadId, InstanceId, MailId, NudgeId, RigId, TownId};
use gastown_core::protocol::{Batch, BatchReply, RigToTown, TownToRig, TriageAction};
use gastown_core::rig::agent::AgentRole;
use gastown_core::rig::bead::{BeadStatus, BeadType};
use gastown_core::rig::mail::MailTo;
use gastown_core::rig::review::Verdict;
use gastown_core::session::{MergeStatus, Role};
use gastown_core::sorted::SortedSet;
use gastown_core::time::Timestamp;
use gastown_core::wire::api::agent::{Agent, Assignment, Done, Heartbeat, JudgeBranch};
use gastown_core::wire::api::bead::{Bead, NewBead, PatchBead, RetryBead};
use gastown_core::wire::api::event::Event;
use gastown_core::wire::api::explain::Explain;
use gastown_core::wire::api::hand::{BulkOp, BulkResult, Hooked, RegisterAgent, SavedWork, SessionEnded, SubmitBranch};
use gastown_core::wire::api::mail::{Mail, SendMail};
use gastown_core::wire::api::metrics::{RigFigures, SpentBy, Window};
use gastown_core::wire::api::molecule::{Molecule, MoleculeStep};
use gastown_core::wire::api::nudge::{self, Nudge};
use gastown_core::wire::api::prime::PrimeContext;
use gastown_core::wire::api::review::MergeQueueItem;
use gastown_core::wire::api::sling::SlungBead;
use gastown_core::wire::report::{AgentBeat, Fact, FactResult, JobBeat, Outcome, OutcomeResult, Ref};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::replies::{Judged, Overview, RigReviews};
pub use super::runtime::BeatsReply;
pub use super::speaker::{LiveSession, Speaker, TokenSession};
pub use super::store::Filter;
pub use super::store::figures::Spent;
use crate::call::Call;
use crate::requests::{Idempotency, Kept};

mod views;

pub use views::*;

macro_rules! calls {
    ($($(#[$doc:meta])* $path:literal $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* } -> $reply:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl Call for $name {
            const PATH: &'static str = $path;
            type Reply = $reply;
        }
    )*};
}

calls! {
    /// Forget everything; every later call finds nothing.
    "/delete" Delete {} -> ();
    /// Which town this rig belongs to.
    "/whereabouts" Whereabouts {} -> TownId;
    /// Numbered messages of the Town; the first contact makes the rig.
    "/deliver" Deliver {
        /// Identity.
        rig_id: RigId,
        /// Its town.
        town_id: TownId,
        /// Unique prefix of the id.
        tag: String,
        /// The messages.
        batch: Batch<TownToRig>,
    } -> BatchReply<RigToTown>;
    /// Whether a token's session is live; refused with `stale_assignment` otherwise.
    "/check_agent" CheckAgent {
        /// The token's town.
        town_id: TownId,
        /// The token's agent.
        agent_id: AgentId,
        /// The token's session.
        session: TokenSession,
        /// The token's credential generation.
        generation: Option<u64>,
        /// The call may be the repeat of the one that ended the session.
        may_be_over: bool,
        /// The call counts against the agent's rate.
        is_counted: bool,
    } -> LiveSession;
    /// Facts of the runtime about this rig's sessions and jobs.
    "/runtime_facts" RuntimeFacts {
        /// Oldest first.
        facts: Vec<Fact>,
    } -> Vec<FactResult>;
    /// The rig's part of a heartbeat.
    "/runtime_beats" RuntimeBeats {
        /// Sender.
        instance_id: InstanceId,
        /// Live sessions.
        agents: Vec<AgentBeat>,
        /// Live jobs.
        jobs: Vec<JobBeat>,
    } -> BeatsReply;
    /// Ends of sessions.
    "/runtime_outcomes" RuntimeOutcomes {
        /// Oldest first.
        outcomes: Vec<Outcome>,
    } -> Vec<OutcomeResult>;
    /// Sessions that the runtime shall run.
    "/running" Running {} -> Vec<Ref>;
    /// Of these sessions, those that are live, with the role of each.
    "/live_sessions" LiveSessions {
        /// Asked for.
        sessions: Vec<Ref>,
    } -> Vec<(Ref, Role)>;
    /// Create a bead and give it to a polecat if one is free.
    "/sling" Sling {
        /// The town of the path.
        town_id: TownId,
        /// The id, when the caller has one already.
        bead_id: Option<BeadId>,
        /// What.
        bead: NewBead,
        /// Who asks.
        actor: String,
        /// Refuse what the same caller slung a moment ago.
        refuses_repeat: bool,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } -> Kept<SlungBead>;
    /// These beads as slinging shows them, in this order; those that are not there are left out.
    "/show_slung" ShowSlung {
        /// The town that asks.
        town_id: TownId,
        /// Which.
        bead_ids: Vec<BeadId>,
    } -> Vec<SlungBead>;
    /// A page of beads.
    "/list_beads" ListBeads {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        filter: Filter,
        /// Count all that the filter lets through.
        counts: bool,
    } -> BeadPage;
    /// One bead.
    "/show_bead" ShowBead {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        bead_id: BeadId,
    } -> Bead;
    /// Change a bead.
    "/patch_bead" Patch {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        bead_id: BeadId,
        /// What.
        patch: PatchBead,
        /// Who asks.
        actor: String,
    } -> Bead;
    /// Let a held bead start.
    "/start_bead" Start {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        bead_id: BeadId,
        /// Who asks.
        actor: String,
    } -> Bead;
    /// Close a bead by hand.
    "/close_bead" Close {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        bead_id: BeadId,
        /// Who asks.
        actor: String,
    } -> Bead;
    /// Fail a bead by hand.
    "/fail_bead" Fail {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        bead_id: BeadId,
        /// Why.
        reason: Option<String>,
        /// Who asks.
        actor: String,
    } -> Bead;
    /// Begin a new attempt of a failed bead.
    "/retry_bead" Retry {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        bead_id: BeadId,
        /// How.
        retry: RetryBead,
        /// Who asks.
        actor: String,
    } -> Bead;
    /// What kept starts from succeeding is mended: one session may probe.
    "/reset_breaker" ResetBreaker {
        /// The town of the path.
        town_id: TownId,
    } -> ();
    /// The live reviews of the rig, and what happened to reviews.
    "/list_reviews" ListReviews {
        /// The town of the path.
        town_id: TownId,
        /// Activity since then.
        since: Option<Timestamp>,
        /// Activity, at most so much.
        limit: u32,
    } -> RigReviews;
    /// A person's verdict.
    "/judge_review" JudgeReview {
        /// The town of the path.
        town_id: TownId,
        /// The merge_request bead.
        review_id: BeadId,
        /// Judgement.
        verdict: Verdict,
        /// Words for the author.
        feedback: Option<String>,
        /// Who asks.
        actor: String,
    } -> MergeQueueItem;
    /// Another runtime's word that the merge of a review ended.
    "/complete_review" CompleteReview {
        /// The town of the path.
        town_id: TownId,
        /// The merge_request bead.
        review_id: BeadId,
        /// How.
        status: MergeStatus,
        /// In words.
        message: String,
        /// The merge.
        commit: Option<String>,
    } -> ();
    /// Submit the branch of an issue; the reply is its review, or the issue when it needs none.
    "/submit" SubmitWork {
        /// The town of the path.
        town_id: TownId,
        /// Which issue.
        bead_id: BeadId,
        /// What.
        submit: SubmitBranch,
        /// Who asks.
        actor: String,
    } -> BeadId;
    /// An agent closes its own bead.
    "/close_own" CloseOwn {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        bead_id: BeadId,
        /// Who.
        agent_id: AgentId,
    } -> Bead;
    /// Give a bead to an agent, or back to the queue.
    "/reassign" Reassign {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        bead_id: BeadId,
        /// To whom.
        agent_id: Option<AgentId>,
        /// Who asks.
        actor: String,
    } -> Bead;
    /// Hand a bead that was never started to another rig; the reply shows it as it leaves.
    "/move" MoveAway {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        bead_id: BeadId,
        /// To which rig.
        to: RigId,
        /// Who asks.
        actor: String,
    } -> Bead;
    /// The same to many beads; those that this rig does not have are not found.
    "/bulk" ToEach {
        /// The town of the path.
        town_id: TownId,
        /// What.
        op: BulkOp,
        /// To which.
        bead_ids: Vec<BeadId>,
        /// Labels to add or take away.
        labels: SortedSet<String>,
        /// Who asks.
        actor: String,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } -> Kept<Vec<BulkResult>>;
    /// Delete all beads in this status.
    "/delete_by_status" DeleteInStatus {
        /// The town of the path.
        town_id: TownId,
        /// Which status.
        status: BeadStatus,
        /// Which type.
        kind: Option<BeadType>,
        /// Who asks.
        actor: String,
    } -> usize;
    /// Something done with an agent by hand.
    "/act" ActOnAgent {
        /// The town of the path.
        town_id: TownId,
        /// What.
        act: Act,
        /// Who asks.
        actor: String,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } -> Kept<Acted>;
    /// One agent, also one that is not registered any more.
    "/show_agent" ShowAgent {
        /// The town of the path.
        town_id: TownId,
        /// Who.
        agent_id: AgentId,
    } -> Agent;
    /// Assignments of an agent, newest first.
    "/agent_assignments" AgentAssignments {
        /// The town of the path.
        town_id: TownId,
        /// Whose.
        agent_id: AgentId,
        /// At most so many.
        limit: u32,
    } -> Vec<Assignment>;
    /// What the runtime says of one session.
    "/said" SaidOfSession {
        /// Who.
        speaker: Speaker,
        /// What.
        said: Said,
    } -> ();
    /// Why a bead is where it is.
    "/explain" ExplainBead {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        bead_id: BeadId,
    } -> Explain;
    /// A person lets a review go on.
    "/resume_review" ResumeReview {
        /// The town of the path.
        town_id: TownId,
        /// The merge_request bead.
        review_id: BeadId,
        /// Why.
        note: Option<String>,
        /// Who asks.
        actor: String,
    } -> MergeQueueItem;
    /// A person has seen that a review waits for them.
    "/dismiss_review" DismissReview {
        /// The town of the path.
        town_id: TownId,
        /// The merge_request bead.
        review_id: BeadId,
    } -> MergeQueueItem;
    /// Assignments of a bead, newest first.
    "/bead_assignments" BeadAssignments {
        /// The town of the path.
        town_id: TownId,
        /// Which.
        bead_id: BeadId,
    } -> Vec<Assignment>;
    /// Registered agents, oldest first.
    "/list_agents" ListAgents {
        /// The town of the path.
        town_id: TownId,
    } -> Vec<Agent>;
    /// A page of the audit log, newest first.
    "/list_events" ListEvents {
        /// The town of the path.
        town_id: TownId,
        /// About this bead.
        bead_id: Option<BeadId>,
        /// About this agent.
        agent_id: Option<AgentId>,
        /// Since then.
        since: Option<Timestamp>,
        /// Below this number.
        before: Option<u64>,
        /// At most so many.
        limit: u32,
    } -> Vec<Event>;
    /// What charts show of a window of time.
    "/figures" ShowFigures {
        /// The town of the path.
        town_id: TownId,
        /// Which window.
        window: Window,
    } -> RigFigures;
    /// What assignments spent between two instants, by group.
    "/spent" ListSpent {
        /// The town of the path.
        town_id: TownId,
        /// By what.
        by: SpentBy,
        /// From then …
        from: Timestamp,
        /// … until then.
        to: Timestamp,
    } -> Vec<Spent>;
    /// Everything that a dashboard shows.
    "/overview" ShowOverview {
        /// The town of the path.
        town_id: TownId,
    } -> Overview;
    /// What an agent is told about its work.
    "/prime" Prime {
        /// Who.
        speaker: Speaker,
        /// Leave the mail undelivered.
        peek: bool,
    } -> PrimeContext;
    /// The work is done.
    "/done" AgentDone {
        /// Who.
        speaker: Speaker,
        /// What.
        done: Done,
    } -> ();
    /// A refinery's verdict.
    "/judge" AgentJudges {
        /// Who.
        speaker: Speaker,
        /// What.
        judge: JudgeBranch,
    } -> Judged;
    /// What an agent says it is doing.
    "/set_status" SetStatus {
        /// Who.
        speaker: Speaker,
        /// One line.
        message: String,
    } -> ();
    /// What an agent leaves for its next session.
    "/set_checkpoint" SetCheckpoint {
        /// Who.
        speaker: Speaker,
        /// Any JSON.
        data: Value,
    } -> ();
    /// A heartbeat for one agent.
    "/agent_beats" AgentBeats {
        /// Who.
        speaker: Speaker,
        /// What.
        heartbeat: Heartbeat,
    } -> ();
    /// An agent's mail, oldest first.
    "/read_mail" ReadMail {
        /// Who.
        speaker: Speaker,
        /// Leave it undelivered.
        peek: bool,
    } -> Vec<Mail>;
    /// An agent has read these.
    "/acknowledge_mail" AcknowledgeMail {
        /// Who.
        speaker: Speaker,
        /// Which.
        mail_ids: Vec<MailId>,
    } -> usize;
    /// Who an agent is, and what it works on.
    "/who_speaks" WhoSpeaks {
        /// The town of the path.
        town_id: TownId,
        /// Who.
        agent_id: AgentId,
        /// Its session, which must be live.
        speaker: Option<Speaker>,
        /// A bead that must be this rig's.
        bead_id: Option<BeadId>,
    } -> Spokesman;
    /// The agent of a triage batch decides one of its requests.
    "/resolve_triage" ResolveTriage {
        /// Who.
        speaker: Speaker,
        /// Which request.
        request_id: BeadId,
        /// What.
        action: TriageAction,
        /// Why.
        notes: String,
        /// What the agent concerned shall read.
        guidance: Option<String>,
    } -> Bead;
    /// Mail to agents of this rig, newest first; reading delivers nothing.
    "/list_mail" ListMail {
        /// The town of the path.
        town_id: TownId,
        /// This one.
        mail_id: Option<MailId>,
        /// Of this thread.
        thread_id: Option<MailId>,
        /// At most so many.
        limit: u32,
    } -> Vec<Mail>;
    /// Mail to an agent of this rig.
    "/send_mail" Send {
        /// The town of the path.
        town_id: TownId,
        /// Who writes: an agent's id, a user's, or `mayor`.
        from: String,
        /// What.
        mail: SendMail,
        /// To whom, when the receiver is known not to be of this rig.
        elsewhere: Option<MailTo>,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } -> Kept<MailId>;
    /// A nudge for an agent of this rig.
    "/send_nudge" SendNudge {
        /// The town of the path.
        town_id: TownId,
        /// For whom.
        agent_id: AgentId,
        /// What.
        nudge: nudge::SendNudge,
        /// Who asks, as rows name it.
        source: String,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } -> Kept<Nudge>;
    /// What waits for an agent, urgent first, then oldest.
    "/pending_nudges" PendingNudges {
        /// The town of the path.
        town_id: TownId,
        /// Whose.
        agent_id: AgentId,
    } -> Vec<Nudge>;
    /// An agent has read a nudge.
    "/nudge_delivered" NudgeDelivered {
        /// Who.
        speaker: Speaker,
        /// Which.
        nudge_id: NudgeId,
    } -> ();
    /// Make the steps of an issue.
    "/create_molecule" CreateMolecule {
        /// The town of the path.
        town_id: TownId,
        /// The issue.
        bead_id: BeadId,
        /// Title and instructions of each.
        steps: Vec<(String, String)>,
        /// Who asks.
        actor: String,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } -> Kept<Molecule>;
    /// The current step of an agent's issue.
    "/current_step" CurrentStep {
        /// Who.
        speaker: Speaker,
    } -> MoleculeStep;
    /// The current step is done.
    "/advance_molecule" AdvanceMolecule {
        /// Who.
        speaker: Speaker,
        /// What was done.
        summary: String,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } -> Kept<Molecule>;
}
