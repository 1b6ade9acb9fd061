//! The tools that the plugin gives each role (api.md 8), as the prompts describe them. One row per tool: a tool is
//! added here and in the plugin's table; `tests/wire/tools.json` holds both to the same names.

use std::fmt::Write as _;

use crate::session::Role;

/// One tool, in the words of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Its name in the model's tool list.
    pub name: &'static str,
    /// Arguments; `?` marks those that may be left out.
    pub arguments: &'static str,
    /// What it answers.
    pub result: &'static str,
    /// When to use it.
    pub when: &'static str,
}

const PRIME: Tool = Tool {
    name: "gt_prime",
    arguments: "",
    result: "you, your bead, review or convoy context, gates, mail, open beads of the rig, as JSON",
    when: "to see your whole context again; at the start you already have it",
};
const BEAD_STATUS: Tool = Tool {
    name: "gt_bead_status",
    arguments: "bead_id",
    result: "the bead as JSON",
    when: "to read another bead of this rig that your task names",
};
const DONE: Tool = Tool {
    name: "gt_done",
    arguments: "branch, pr_url?, summary?",
    result: "that the branch is submitted, or what is still missing",
    when: "once, at the very end",
};
const MAIL_SEND: Tool = Tool {
    name: "gt_mail_send",
    arguments: "to_agent_id, subject, body",
    result: "to whom it was sent",
    when: "when another agent must know something that its task does not say; never to ask and wait",
};
const MAIL_CHECK: Tool = Tool {
    name: "gt_mail_check",
    arguments: "",
    result: "new mail, or that there is none",
    when: "when you were told that mail is waiting",
};
const CHECKPOINT: Tool = Tool {
    name: "gt_checkpoint",
    arguments: "data (JSON text)",
    result: "that it is saved",
    when: "before a long step, and when told to wrap up",
};
const STATUS: Tool = Tool {
    name: "gt_status",
    arguments: "message (at most 280 characters)",
    result: "that it is shown",
    when: "when the phase of your work changes",
};

/// Tools of a polecat.
pub const POLECAT: &[Tool] = &[PRIME, BEAD_STATUS, DONE, MAIL_SEND, MAIL_CHECK, CHECKPOINT, STATUS];

/// Tools of the refinery.
pub const REFINERY: &[Tool] = &[
    PRIME,
    BEAD_STATUS,
    Tool {
        name: "gt_approve",
        arguments: "summary?",
        result: "that gates and merge run now",
        when: "the branch may be merged as it is",
    },
    Tool {
        name: "gt_request_changes",
        arguments: "feedback, files?[]",
        result: "the round, and the bead of the rework",
        when: "something must change before the merge",
    },
    Tool {
        name: "gt_reject",
        arguments: "reason",
        result: "that it is rejected",
        when: "no change of this branch would help",
    },
    MAIL_SEND,
    MAIL_CHECK,
    CHECKPOINT,
    STATUS,
];

/// Tools of a triage assignment.
pub const TRIAGE: &[Tool] = &[
    PRIME,
    BEAD_STATUS,
    Tool {
        name: "gt_triage_resolve",
        arguments: "triage_request_bead_id, action, resolution_notes",
        result: "that the request is resolved",
        when: "once for each request",
    },
    DONE,
    MAIL_SEND,
    MAIL_CHECK,
    STATUS,
];

/// Tools of the mayor.
pub const MAYOR: &[Tool] = &[
    Tool {
        name: "gt_sling",
        arguments: "rig_id, title, body?, priority? (low, medium, high, critical), labels?[], metadata?, model?, depends_on?[bead_id], allow_duplicate?",
        result: "`Slung '<title>' to <agent> in <rig> (bead <id>, <model>)` or `Queued '<title>' in <rig> (bead <id>): <reason>`",
        when: "for every piece of work; it returns as soon as the work is recorded. `model` only when a person asked for one",
    },
    Tool {
        name: "gt_list_rigs",
        arguments: "",
        result: "id, name, repository, branches and purpose of each rig",
        when: "when you do not know the id of a rig, or which rig fits",
    },
    Tool {
        name: "gt_list_beads",
        arguments: "rig_id?, status? (open, in_progress, in_review, closed, failed; several with commas), type?, q?",
        result: "one line per bead, of all rigs unless one is named; says when there is more",
        when: "before slinging, and to say what is going on, what was done, and why something waits",
    },
    Tool {
        name: "gt_list_agents",
        arguments: "rig_id?, status? (idle, working, waiting, stalled)",
        result: "one line per agent with its bead and phase",
        when: "to say who works on what, and to find the id for a mail",
    },
    Tool {
        name: "gt_mail_send",
        arguments: "rig_id, to_agent_id, subject, body",
        result: "to whom it was sent",
        when: "to tell a working agent something that changes its task",
    },
    Tool {
        name: "gt_status",
        arguments: "message (at most 280 characters)",
        result: "that it is shown",
        when: "when you begin something that takes more than a moment",
    },
];

/// The tools of a role: what the plugin registers, and what the runtime expects to see before it calls a session ready.
pub const fn of(role: Role) -> &'static [Tool] {
    match role {
        Role::Polecat => POLECAT,
        Role::Refinery => REFINERY,
        Role::Triage => TRIAGE,
        Role::Mayor => MAYOR,
    }
}

/// The rows as a list for a prompt.
pub(super) fn list(tools: &[Tool]) -> String {
    let mut text = String::new();
    for Tool { name, arguments, result, when } in tools {
        let _ = writeln!(text, "- `{name}({arguments})`: {when}. Answers {result}.");
    }
    text.truncate(text.trim_end().len());
    text
}
