//! Work by hand: a person or a client claims a bead, and submits the branch that came of it (domain.md 3.2).

use super::{Applied, Refusal, live_bead};
use crate::id::{AgentId, BeadId};
use crate::limits::CLAIM;
use crate::rig::assignment;
use crate::rig::bead::{self, Bead, BeadOutcome, BeadStatus, BeadType};
use crate::rig::event::SessionKey;
use crate::rig::plan::{Plan, Write};
use crate::rig::review;
use crate::rig::rules::dispatchable;
use crate::rig::wait::WaitCode;
use crate::session::Kind;

/// Work that was pushed outside the town, or by an agent that reports it as a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// The issue.
    pub bead_id: BeadId,
    /// Where the work is.
    pub branch: String,
    /// Its newest commit, when the caller names it.
    pub commit: Option<String>,
    /// For the reviewer.
    pub summary: Option<String>,
    /// A pull request that exists already.
    pub pr_url: Option<String>,
    /// The agent that did it, when one did.
    pub agent_id: Option<AgentId>,
    /// Who asks.
    pub actor: String,
}

/// Makes the review of submitted work. One live review per issue: a repeat is answered with the one that exists.
pub(super) fn submit(plan: &mut Plan, submit: Submit) -> Result<Applied, Refusal> {
    let bead = live_bead(plan, submit.bead_id)?;
    if let Some(review) = plan.state().review_of_source(bead.bead_id) {
        return Ok(Applied::Bead(review.bead_id));
    }
    if let Some(live) = plan.state().assignment_of_bead(bead.bead_id).cloned() {
        if submit.agent_id != Some(live.agent_id) {
            return Err(Refusal::BeadAssigned { bead_id: bead.bead_id, agent_id: live.agent_id });
        }
        let session = SessionKey { assignment_id: live.assignment_id, epoch: live.epoch };
        let Submit { branch, commit, summary, pr_url, .. } = submit;
        let done = super::Done { session, branch, commit, summary, files: Vec::new(), pr_url };
        super::reviews::apply_done(plan, done)?;
        return Ok(Applied::Bead(review_or_itself(plan, bead.bead_id)));
    }
    check_submit(plan, &bead, &submit.branch, &submit.actor)?;
    let applied = submit_work(plan, bead.bead_id, submit.branch, submit.commit, submit.summary, &submit.actor);
    let review_id = review_or_itself(plan, bead.bead_id);
    if let Some(url) = submit.pr_url.filter(|_| review_id != bead.bead_id) {
        super::reviews::take_pr(plan, bead.bead_id, review_id, &url);
    }
    Ok(applied)
}

/// Whether somebody may claim this bead: it is open, nobody has it, and nothing that people decide stands before it. A
/// hold and a back-off keep agents away, not people.
pub(super) fn check(plan: &Plan, bead: &Bead) -> Result<(), Refusal> {
    if let Some(live) = plan.state().assignment_of_bead(bead.bead_id) {
        return Err(Refusal::BeadAssigned { bead_id: bead.bead_id, agent_id: live.agent_id });
    }
    if bead.kind != BeadType::Issue || bead.status != BeadStatus::Open {
        return Err(Refusal::IllegalTransition(format!("a bead that is {} cannot be claimed", bead.status)));
    }
    let without_hold = Bead { labels: crate::sorted::SortedSet::new(), ..bead.clone() };
    match dispatchable::obstacle(plan, &without_hold) {
        Some(wait) if wait.code != WaitCode::BackingOff => Err(Refusal::IllegalTransition(wait.message)),
        Some(_) | None => Ok(()),
    }
}

/// The bead is worked on outside the town from now on.
pub(super) fn begin(plan: &mut Plan, bead_id: BeadId, actor: &str) {
    let until = plan.now() + CLAIM;
    plan.update_bead(bead_id, |bead| {
        bead.status = BeadStatus::InProgress;
        bead.claimed_by = Some(actor.to_owned());
        bead.claimed_until = Some(until);
    });
    plan.status_changed(bead_id, BeadStatus::Open, BeadStatus::InProgress, actor);
}

/// Whoever claimed it gives it back.
pub(super) fn give_back(plan: &mut Plan, bead_id: BeadId, actor: &str) {
    plan.update_bead(bead_id, |bead| {
        bead.end_claim();
        bead.status = BeadStatus::Open;
    });
    plan.status_changed(bead_id, BeadStatus::InProgress, BeadStatus::Open, actor);
}

/// Each call of the claimant renews the claim; that is no change of the bead.
pub(super) fn renew(plan: &mut Plan, bead_id: BeadId, actor: &str) {
    let until = plan.now() + CLAIM;
    let claimed = plan.state().beads.get(&bead_id).filter(|bead| bead.claimed_by.as_deref() == Some(actor)).cloned();
    if let Some(bead) = claimed.filter(|bead| bead.claimed_until != Some(until)) {
        plan.write(Write::Bead(Box::new(Bead { claimed_until: Some(until), version: bead.version + 1, ..bead })));
    }
}

/// Whether this work may go in review by this hand.
pub(super) fn check_submit(plan: &Plan, bead: &Bead, branch: &str, actor: &str) -> Result<(), Refusal> {
    let refused = |why: String| Err(Refusal::IllegalTransition(why));
    if let Some(live) = plan.state().assignment_of_bead(bead.bead_id) {
        return Err(Refusal::BeadAssigned { bead_id: bead.bead_id, agent_id: live.agent_id });
    }
    let is_anothers = bead.claimed_by.as_deref().is_some_and(|claimant| claimant != actor);
    let is_free = matches!(bead.status, BeadStatus::Open | BeadStatus::InProgress) && !is_anothers;
    if bead.kind != BeadType::Issue || !is_free {
        return refused(format!("a bead that is {} cannot be submitted", bead.status));
    }
    if let Some(parked) = &bead.parked {
        return refused(format!("it waits for a decision: {}", parked.message));
    }
    let target = bead.target.as_ref().unwrap_or(&plan.state().rig.target_branch);
    if branch == target {
        return refused(format!("{branch} is the branch that the work is to reach"));
    }
    Ok(())
}

/// Work that is pushed: a class of domain.md 3.3 closes, everything else is reviewed. Answers the review, or the bead.
pub(super) fn submit_work(
    plan: &mut Plan,
    bead_id: BeadId,
    branch: String,
    commit: Option<String>,
    summary: Option<String>,
    actor: &str,
) -> Applied {
    let Some(old) = plan.state().beads.get(&bead_id).cloned() else { return Applied::Bead(bead_id) };
    if assignment::kind_of(plan, &old) != Kind::Work {
        plan.update_bead(bead_id, |bead| bead.head_commit = commit.or(bead.head_commit.take()));
        bead::close(plan, bead_id, BeadOutcome::Done, actor);
        return Applied::Bead(bead_id);
    }
    let target = plan.state().rig.target_branch.clone();
    plan.update_bead(bead_id, |bead| {
        bead.end_claim();
        bead.status = BeadStatus::InReview;
        bead.branch = Some(branch);
        bead.base = bead.base.take().or_else(|| Some(target.clone()));
        bead.target = bead.target.take().or(Some(target));
        bead.head_commit.clone_from(&commit);
    });
    plan.status_changed(bead_id, old.status, BeadStatus::InReview, actor);
    let source = plan.state().beads.get(&bead_id).cloned().unwrap_or(old);
    Applied::Bead(review::open(plan, &source, None, commit, summary))
}

fn review_or_itself(plan: &Plan, bead_id: BeadId) -> BeadId {
    plan.state().review_of_source(bead_id).map_or(bead_id, |review| review.bead_id)
}
