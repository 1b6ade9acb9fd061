//! First messages: what an assignment is about, sent once when its session is ready.

use super::mark::{Label, Nonce, block, blocks, one_line};
use crate::id::{BeadId, ConvoyId};

/// What somebody asked for.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// Title of the bead.
    pub title: &'a str,
    /// Its body.
    pub body: Option<&'a str>,
}

/// A task that came before, with its author's summary.
#[derive(Debug, Clone, Copy)]
pub struct Predecessor<'a> {
    /// Title of the bead.
    pub title: &'a str,
    /// What its author said at the end.
    pub summary: &'a str,
}

/// Unpublished changes of an earlier attempt that the runtime restored.
#[derive(Debug, Clone, Copy)]
pub struct Resume<'a> {
    /// The saved commit.
    pub commit: &'a str,
    /// What is known about how the attempt ended.
    pub note: Option<&'a str>,
}

/// What an earlier attempt left behind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Left<'a> {
    /// Its last checkpoint, as JSON.
    pub checkpoint: Option<&'a str>,
    /// Its unpublished changes.
    pub resume: Option<Resume<'a>>,
    /// What its escalations were answered, oldest first.
    pub answers: &'a [Answer<'a>],
}

/// An answer to an escalation.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Who answered.
    pub by: &'a str,
    /// What.
    pub message: &'a str,
}

/// Arguments of [`work`].
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The bead.
    pub bead: BeadId,
    /// Its branch.
    pub branch: &'a str,
    /// Where the branch starts.
    pub base: &'a str,
    /// Where it will be merged.
    pub target: &'a str,
    /// What to do.
    pub task: Task<'a>,
    /// The blockers that were merged, at most five (domain.md 10.3).
    pub predecessors: &'a [Predecessor<'a>],
    /// From an earlier attempt.
    pub left: Left<'a>,
}

/// First message of kind work.
pub fn work(arguments: &Work<'_>, nonce: Nonce) -> String {
    let Work { bead, branch, base, target, task, predecessors, left } = *arguments;
    fill!(
        "work.md",
        bead = bead.to_string(),
        branch = one_line(branch),
        base = one_line(base),
        target = one_line(target),
        task = task_text(task, nonce),
        predecessors = predecessors_text("This builds on work that is merged already:", predecessors, nonce),
        answers = answers_text(left, nonce),
        checkpoint = checkpoint_text(left, nonce),
        resume = resume_text(left, nonce),
    )
}

/// Which round of a review this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// From 1.
    pub number: u32,
    /// After which a person decides.
    pub max: u32,
}

/// Arguments of [`rework`].
#[derive(Debug, Clone, Copy)]
pub struct Rework<'a> {
    /// The bead of the rework.
    pub bead: BeadId,
    /// Branch of the review.
    pub branch: &'a str,
    /// Where it will be merged.
    pub target: &'a str,
    /// Round of the review that asked for it.
    pub round: Round,
    /// What the review found.
    pub findings: &'a str,
    /// Files that the findings name.
    pub files: &'a [String],
    /// The original task.
    pub task: Task<'a>,
    /// From an earlier attempt.
    pub left: Left<'a>,
}

/// First message of kind rework.
pub fn rework(arguments: &Rework<'_>, nonce: Nonce) -> String {
    let Rework { bead, branch, target, round, findings, files, task, left } = *arguments;
    fill!(
        "rework.md",
        bead = bead.to_string(),
        branch = one_line(branch),
        target = one_line(target),
        round = round.number.to_string(),
        rounds_max = round.max.to_string(),
        findings = block(Label::Findings, nonce, findings),
        files = files_text("Files concerned:", files, nonce),
        task = task_text(task, nonce),
        answers = answers_text(left, nonce),
        checkpoint = checkpoint_text(left, nonce),
        resume = resume_text(left, nonce),
    )
}

/// Arguments of [`conflict`].
#[derive(Debug, Clone, Copy)]
pub struct Conflict<'a> {
    /// The bead of the repair.
    pub bead: BeadId,
    /// Branch of the review.
    pub branch: &'a str,
    /// What it must be merged with.
    pub target: &'a str,
    /// Files that both sides changed.
    pub files: &'a [String],
    /// The original task.
    pub task: Task<'a>,
    /// Findings or comments that must be answered in the same go.
    pub feedback: Option<&'a str>,
    /// From an earlier attempt.
    pub left: Left<'a>,
}

/// First message of kind conflict.
pub fn conflict(arguments: &Conflict<'_>, nonce: Nonce) -> String {
    let Conflict { bead, branch, target, files, task, feedback, left } = *arguments;
    let feedback = feedback.map(|text| block(Label::Feedback, nonce, text));
    fill!(
        "conflict.md",
        bead = bead.to_string(),
        branch = one_line(branch),
        target = one_line(target),
        files = files_text("Files in conflict:", files, nonce),
        task = task_text(task, nonce),
        feedback = feedback.map(|text| format!("Answer this as well:\n\n{text}")).unwrap_or_default(),
        answers = answers_text(left, nonce),
        checkpoint = checkpoint_text(left, nonce),
        resume = resume_text(left, nonce),
    )
}

/// Arguments of [`feedback`].
#[derive(Debug, Clone, Copy)]
pub struct Feedback<'a> {
    /// The bead of the repair.
    pub bead: BeadId,
    /// Branch of the pull request.
    pub branch: &'a str,
    /// Where it will be merged.
    pub target: &'a str,
    /// The pull request.
    pub pr_url: &'a str,
    /// The comments, each with file and line.
    pub comments: &'a str,
    /// The original task.
    pub task: Task<'a>,
    /// From an earlier attempt.
    pub left: Left<'a>,
}

/// First message of kind feedback.
pub fn feedback(arguments: &Feedback<'_>, nonce: Nonce) -> String {
    let Feedback { bead, branch, target, pr_url, comments, task, left } = *arguments;
    fill!(
        "feedback.md",
        bead = bead.to_string(),
        branch = one_line(branch),
        target = one_line(target),
        pr_url = one_line(pr_url),
        feedback = block(Label::Feedback, nonce, comments),
        task = task_text(task, nonce),
        answers = answers_text(left, nonce),
        checkpoint = checkpoint_text(left, nonce),
        resume = resume_text(left, nonce),
    )
}

/// Arguments of [`fixup`].
#[derive(Debug, Clone, Copy)]
pub struct Fixup<'a> {
    /// The bead of the repair.
    pub bead: BeadId,
    /// Branch of the pull request.
    pub branch: &'a str,
    /// Where it will be merged.
    pub target: &'a str,
    /// The pull request.
    pub pr_url: &'a str,
    /// What to repair.
    pub task: Task<'a>,
    /// From an earlier attempt.
    pub left: Left<'a>,
}

/// First message of kind fixup.
pub fn fixup(arguments: &Fixup<'_>, nonce: Nonce) -> String {
    let Fixup { bead, branch, target, pr_url, task, left } = *arguments;
    fill!(
        "fixup.md",
        bead = bead.to_string(),
        branch = one_line(branch),
        target = one_line(target),
        pr_url = one_line(pr_url),
        task = task_text(task, nonce),
        answers = answers_text(left, nonce),
        checkpoint = checkpoint_text(left, nonce),
        resume = resume_text(left, nonce),
    )
}

/// One gate that ran on the commit under review.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    /// The command.
    pub command: &'a str,
    /// `passed`, `failed` or `timed_out`.
    pub status: &'a str,
    /// The end of its output.
    pub output: &'a str,
}

/// What an earlier round of a review found.
#[derive(Debug, Clone, Copy)]
pub struct EarlierRound<'a> {
    /// From 1.
    pub number: u32,
    /// Its findings.
    pub findings: &'a str,
}

/// Arguments of [`review`].
#[derive(Debug, Clone, Copy)]
pub struct Review<'a> {
    /// The merge request.
    pub review: BeadId,
    /// The bead whose work it is.
    pub bead: BeadId,
    /// Branch of the work.
    pub branch: &'a str,
    /// Where it will be merged.
    pub target: &'a str,
    /// Full hash.
    pub commit: &'a str,
    /// This round.
    pub round: Round,
    /// What the work was for.
    pub task: Task<'a>,
    /// What its author said at the end.
    pub summary: Option<&'a str>,
    /// Gates that ran on this commit.
    pub gates: &'a [Gate<'a>],
    /// Earlier rounds, oldest first.
    pub earlier: &'a [EarlierRound<'a>],
}

/// First message of kind review.
pub fn review(arguments: &Review<'_>, nonce: Nonce) -> String {
    let Review { review, bead, branch, target, commit, round, task, summary, gates, earlier } = *arguments;
    let summary = summary.map(|text| block(Label::Summary, nonce, text));
    fill!(
        "review.md",
        review = review.to_string(),
        bead = bead.to_string(),
        branch = one_line(branch),
        target = one_line(target),
        commit = one_line(commit),
        round = round.number.to_string(),
        rounds_max = round.max.to_string(),
        task = task_text(task, nonce),
        summary = summary.map(|text| format!("Its author says:\n\n{text}")).unwrap_or_default(),
        gates = gates_text(gates, nonce),
        rounds = rounds_text(earlier, nonce),
    )
}

/// Arguments of [`landing`].
#[derive(Debug, Clone, Copy)]
pub struct Landing<'a> {
    /// The merge request.
    pub review: BeadId,
    /// The convoy.
    pub convoy: ConvoyId,
    /// Its feature branch.
    pub branch: &'a str,
    /// Where it will be merged.
    pub target: &'a str,
    /// Full hash.
    pub commit: &'a str,
    /// This round.
    pub round: Round,
    /// Its tasks with their summaries.
    pub tasks: &'a [Predecessor<'a>],
    /// Gates that ran on this commit.
    pub gates: &'a [Gate<'a>],
    /// Earlier rounds, oldest first.
    pub earlier: &'a [EarlierRound<'a>],
}

/// First message of kind landing.
pub fn landing(arguments: &Landing<'_>, nonce: Nonce) -> String {
    let Landing { review, convoy, branch, target, commit, round, tasks, gates, earlier } = *arguments;
    fill!(
        "landing.md",
        review = review.to_string(),
        convoy = convoy.to_string(),
        branch = one_line(branch),
        target = one_line(target),
        commit = one_line(commit),
        round = round.number.to_string(),
        rounds_max = round.max.to_string(),
        tasks = predecessor_blocks(tasks, nonce),
        gates = gates_text(gates, nonce),
        rounds = rounds_text(earlier, nonce),
    )
}

/// One matter to decide.
#[derive(Debug, Clone, Copy)]
pub struct TriageRequest<'a> {
    /// Its id, as `gt_triage_resolve` wants it.
    pub request: BeadId,
    /// Since when it waits, in minutes.
    pub age_minutes: u64,
    /// The bead concerned.
    pub bead: Option<BeadId>,
    /// Name of the agent concerned.
    pub agent: Option<&'a str>,
    /// Actions that are offered.
    pub actions: &'a [&'a str],
    /// What is known.
    pub context: &'a str,
}

/// First message of kind triage.
pub fn triage(bead: BeadId, requests: &[TriageRequest<'_>], nonce: Nonce) -> String {
    let contexts = blocks(Label::Request, nonce, requests.iter().map(|request| request.context));
    let entries: Vec<String> = requests.iter().zip(contexts).map(|(r, context)| request_text(r, &context)).collect();
    fill!(
        "triage_requests.md",
        count = requests.len().to_string(),
        bead = bead.to_string(),
        requests = entries.join("\n\n"),
    )
}

fn request_text(request: &TriageRequest<'_>, context: &str) -> String {
    let TriageRequest { request, age_minutes, bead, agent, actions, context: _ } = *request;
    let bead = bead.map_or("none".into(), |bead| bead.to_string());
    let agent = agent.map_or("none".into(), one_line);
    let actions = actions.join(", ");
    format!("Request: {request}\nAge: {age_minutes} min\nAgent: {agent}\nBead: {bead}\nActions: {actions}\n\n{context}")
}

fn task_text(task: Task<'_>, nonce: Nonce) -> String {
    let body = task.body.map(str::trim).unwrap_or_default();
    let text = if body.is_empty() { task.title.to_owned() } else { format!("{}\n\n{body}", task.title) };
    block(Label::Task, nonce, &text)
}

fn checkpoint_text(left: Left<'_>, nonce: Nonce) -> String {
    match left.checkpoint {
        None => String::new(),
        Some(text) => fill!("checkpoint.md", checkpoint = block(Label::Checkpoint, nonce, text)),
    }
}

fn answers_text(left: Left<'_>, nonce: Nonce) -> String {
    if left.answers.is_empty() {
        return String::new();
    }
    let texts: Vec<String> = left.answers.iter().map(|a| format!("{}: {}", one_line(a.by), a.message)).collect();
    fill!("answers.md", answers = blocks(Label::Note, nonce, texts.iter().map(String::as_str)).join("\n\n"))
}

fn resume_text(left: Left<'_>, nonce: Nonce) -> String {
    match left.resume {
        None => String::new(),
        Some(Resume { commit, note }) => fill!(
            "resume.md",
            from = format!(" (saved as {})", one_line(commit)),
            note = note.map(|note| block(Label::Note, nonce, note)).unwrap_or_default(),
        ),
    }
}

fn predecessors_text(head: &str, predecessors: &[Predecessor<'_>], nonce: Nonce) -> String {
    if predecessors.is_empty() {
        return String::new();
    }
    format!("{head}\n\n{}", predecessor_blocks(predecessors, nonce))
}

fn predecessor_blocks(predecessors: &[Predecessor<'_>], nonce: Nonce) -> String {
    let texts: Vec<String> = predecessors.iter().map(|p| format!("{}\n\n{}", p.title, p.summary)).collect();
    blocks(Label::Predecessor, nonce, texts.iter().map(String::as_str)).join("\n\n")
}

fn files_text(head: &str, files: &[String], nonce: Nonce) -> String {
    if files.is_empty() {
        return String::new();
    }
    format!("{head}\n\n{}", block(Label::Files, nonce, &files.join("\n")))
}

fn gates_text(gates: &[Gate<'_>], nonce: Nonce) -> String {
    if gates.is_empty() {
        return "No gates ran on this commit before the review; they run before the merge.".into();
    }
    let texts: Vec<String> =
        gates.iter().map(|gate| format!("{}: {}\n{}", gate.status, gate.command, gate.output)).collect();
    let results = blocks(Label::Gates, nonce, texts.iter().map(String::as_str)).join("\n\n");
    format!("Gates on this commit:\n\n{results}")
}

fn rounds_text(earlier: &[EarlierRound<'_>], nonce: Nonce) -> String {
    if earlier.is_empty() {
        return String::new();
    }
    let texts: Vec<String> = earlier.iter().map(|r| format!("Round {}\n\n{}", r.number, r.findings)).collect();
    let findings = blocks(Label::Findings, nonce, texts.iter().map(String::as_str)).join("\n\n");
    format!("Earlier rounds found this; check each point:\n\n{findings}")
}
