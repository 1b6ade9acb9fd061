//! Arguments that fill every hole.

use gastown_core::id::{AgentId, BeadId, ConvoyId, RigId};
use gastown_core::prompt::Nonce;
use gastown_core::prompt::message::Line;
use gastown_core::prompt::order::{
    Answer, Conflict, EarlierRound, Feedback, Fixup, Gate, Landing, Left, Predecessor, Resume, Review, Rework, Round,
    Task, TriageRequest, Work,
};
use gastown_core::prompt::role::{Mayor, Polecat, Refinery, RigEntry, Scope, Triage};

pub(crate) const N: Nonce = Nonce::from_u32(0x5eed_c0de);
pub(crate) const BEAD: BeadId = BeadId::from_u128(0x1a2b3c4d_0000_4000_8000_000000000001);
pub(crate) const REVIEW: BeadId = BeadId::from_u128(0x2b3c4d5e_0000_4000_8000_000000000002);
pub(crate) const RIG: RigId = RigId::from_u128(0x3c4d5e6f_0000_4000_8000_000000000003);
pub(crate) const AGENT: AgentId = AgentId::from_u128(0x4d5e6f70_0000_4000_8000_000000000004);
const CONVOY: ConvoyId = ConvoyId::from_u128(0x5e6f7081_0000_4000_8000_000000000005);
const BRANCH: &str = "polecat/toast/1a2b3c4d";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const GATES: &[&str] = &["npm test", "npm run lint"];

pub(crate) fn polecat() -> Polecat<'static> {
    static COMMANDS: std::sync::LazyLock<Vec<String>> =
        std::sync::LazyLock::new(|| GATES.iter().map(ToString::to_string).collect());
    Polecat {
        agent: "Toast",
        rig: "shop",
        bead: BEAD,
        branch: BRANCH,
        base: "main",
        target: "main",
        gates: &COMMANDS,
        custom: Some("Write commit messages in English."),
    }
}

pub(crate) fn refinery() -> Refinery<'static> {
    Refinery {
        agent: "Refinery",
        rig: "shop",
        review: REVIEW,
        branch: BRANCH,
        target: "main",
        commit: COMMIT,
        scope: Scope::Task,
        custom: None,
    }
}

pub(crate) fn triage() -> Triage<'static> {
    Triage { agent: "Maple", rig: "shop", bead: BEAD, custom: None }
}

pub(crate) fn rigs() -> [RigEntry<'static>; 2] {
    let shop = RigEntry {
        rig_id: RIG,
        name: "shop",
        git_url: "https://forge.example/acme/shop.git",
        default_branch: "main",
        target_branch: "main",
        purpose: Some("the web shop"),
        folder: Some("rigs/shop"),
    };
    [shop, RigEntry { name: "docs", target_branch: "next", purpose: None, folder: None, ..shop }]
}

pub(crate) fn mayor<'a>(rigs: &'a [RigEntry<'a>]) -> Mayor<'a> {
    Mayor { town: "Acme", rigs, custom: Some("Prefer small tasks.") }
}

const TASK: Task<'static> = Task { title: "Add a total to the cart", body: Some("In src/cart.js.\n\nRound to cents.") };

const LEFT: Left<'static> = Left {
    answers: &[Answer { by: "Ada", message: "Round half up." }],
    checkpoint: Some(r#"{"done":"the function","next":"its test"}"#),
    resume: Some(Resume { commit: COMMIT, note: Some("evicted: the machine was replaced") }),
};

const ROUND: Round = Round { number: 2, max: 3 };

const PREDECESSORS: &[Predecessor<'static>] =
    &[Predecessor { title: "Add a cart", summary: "src/cart.js keeps lines by product." }];

const PASSED: Gate<'static> = Gate { command: "npm test", status: "passed", output: "12 passed" };
const EARLIER: &[EarlierRound<'static>] =
    &[EarlierRound { number: 1, findings: "src/cart.js:12 blocker: adds floats; use cents." }];

pub(crate) fn work() -> Work<'static> {
    Work {
        bead: BEAD,
        branch: BRANCH,
        base: "main",
        target: "main",
        task: TASK,
        predecessors: PREDECESSORS,
        left: LEFT,
    }
}

pub(crate) fn files() -> Vec<String> {
    vec!["src/cart.js".into(), "test/cart.test.js".into()]
}

pub(crate) fn rework(files: &[String]) -> Rework<'_> {
    Rework {
        bead: BEAD,
        branch: BRANCH,
        target: "main",
        round: ROUND,
        findings: "src/cart.js:12 blocker: adds floats; use cents.",
        files,
        task: TASK,
        left: Left::default(),
    }
}

pub(crate) fn conflict(files: &[String]) -> Conflict<'_> {
    Conflict {
        bead: BEAD,
        branch: BRANCH,
        target: "main",
        files,
        task: TASK,
        feedback: Some("A name is misspelt."),
        left: LEFT,
    }
}

pub(crate) fn feedback() -> Feedback<'static> {
    Feedback {
        bead: BEAD,
        branch: BRANCH,
        target: "main",
        pr_url: "https://forge.example/acme/shop/pull/7",
        comments: "src/cart.js:3 (Ada): why a class?",
        task: TASK,
        left: Left::default(),
    }
}

pub(crate) fn fixup() -> Fixup<'static> {
    Fixup {
        bead: BEAD,
        branch: "feature/cart",
        target: "main",
        pr_url: "https://forge.example/acme/shop/pull/7",
        task: Task { title: "Repair the failing check", body: None },
        left: Left::default(),
    }
}

pub(crate) fn review() -> Review<'static> {
    Review {
        review: REVIEW,
        bead: BEAD,
        branch: BRANCH,
        target: "main",
        commit: COMMIT,
        round: ROUND,
        task: TASK,
        summary: Some("Adds total(); counts in cents."),
        gates: &[PASSED, Gate { command: "npm run lint", status: "timed_out", output: "" }],
        earlier: EARLIER,
    }
}

pub(crate) fn landing() -> Landing<'static> {
    Landing {
        review: REVIEW,
        convoy: CONVOY,
        branch: "convoy/cart/5e6f7081/head",
        target: "main",
        commit: COMMIT,
        round: ROUND,
        tasks: PREDECESSORS,
        gates: &[PASSED],
        earlier: &[],
    }
}

pub(crate) fn triage_request() -> TriageRequest<'static> {
    TriageRequest {
        request: REVIEW,
        age_minutes: 12,
        bead: Some(BEAD),
        agent: Some("Toast"),
        actions: &["NUDGE", "RESTART", "ESCALATE"],
        context: "No progress for 60 minutes; the last tool was bash.",
    }
}

pub(crate) fn conversation() -> [Line<'static>; 2] {
    [Line { author: "Ada", text: "Add a total." }, Line { author: "mayor", text: "Toast is working on it." }]
}
