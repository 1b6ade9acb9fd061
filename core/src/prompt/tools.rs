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
const BEAD_CLOSE: Tool = Tool {
    name: "gt_bead_close",
    arguments: "bead_id",
    result: "that it is closed",
    when: "your bead needs no change and no review; work that changed files goes through gt_done",
};
const ESCALATE: Tool = Tool {
    name: "gt_escalate",
    arguments: "title, body?, priority?, metadata?",
    result: "that people will answer",
    when: "you cannot go on by yourself, or something is wrong beyond your task; continue if you can",
};
const NUDGE: Tool = Tool {
    name: "gt_nudge",
    arguments: "target_agent_id, message, mode?",
    result: "that it is queued",
    when: "another agent must know one thing at once; mail is for everything longer",
};
const STATUS: Tool = Tool {
    name: "gt_status",
    arguments: "message (at most 280 characters)",
    result: "that it is shown",
    when: "when the phase of your work changes",
};

/// Tools of a polecat.
pub const POLECAT: &[Tool] = &[
    PRIME,
    BEAD_STATUS,
    BEAD_CLOSE,
    DONE,
    MAIL_SEND,
    MAIL_CHECK,
    ESCALATE,
    CHECKPOINT,
    Tool {
        name: "gt_mol_current",
        arguments: "",
        result: "the step to be done now, or that there is none",
        when: "your bead has steps: before each one",
    },
    Tool {
        name: "gt_mol_advance",
        arguments: "summary",
        result: "that the step is done, or the last one was",
        when: "a step is done",
    },
    STATUS,
    NUDGE,
];

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
    ESCALATE,
    CHECKPOINT,
    STATUS,
    NUDGE,
];

/// Tools of a triage assignment.
pub const TRIAGE: &[Tool] = &[
    PRIME,
    BEAD_STATUS,
    BEAD_CLOSE,
    Tool {
        name: "gt_triage_resolve",
        arguments: "triage_request_bead_id, action, resolution_notes",
        result: "that the request is resolved",
        when: "once for each request",
    },
    DONE,
    MAIL_SEND,
    MAIL_CHECK,
    ESCALATE,
    STATUS,
    NUDGE,
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
        name: "gt_sling_batch",
        arguments: "convoy_title, tasks[{title, body?, rig_id?, priority?, labels?, model?, depends_on?[index or bead_id]}], rig_id?, merge_mode?, parallel?, staged?, metadata?, allow_duplicate?",
        result: "the convoy's id, and one line per task with its agent or what it waits for",
        when: "several tasks belong together: say with depends_on what waits for what, or parallel: true if nothing does",
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
        name: "gt_bead_explain",
        arguments: "bead_id",
        result: "what it waits for, what blocks it, its attempts with model and cost",
        when: "somebody asks why a bead does not move",
    },
    Tool {
        name: "gt_mail_send",
        arguments: "rig_id, to_agent_id, subject, body",
        result: "to whom it was sent",
        when: "to tell a working agent something that changes its task",
    },
    Tool {
        name: "gt_nudge",
        arguments: "rig_id, target_agent_id, message, mode?",
        result: "that it is queued",
        when: "an agent must know one thing at once",
    },
    Tool {
        name: "gt_bead_update",
        arguments: "rig_id, bead_id, title?, body?, priority?, labels?[], status?, depends_on?[], model?",
        result: "the bead's new line",
        when: "to change a task that is not done",
    },
    Tool {
        name: "gt_bead_reassign",
        arguments: "rig_id, bead_id, agent_id",
        result: "the bead's new line",
        when: "a person wants a certain agent to have it",
    },
    Tool {
        name: "gt_bead_retry",
        arguments: "rig_id, bead_id, note?",
        result: "the bead's new line",
        when: "a failed bead is worth another attempt",
    },
    Tool {
        name: "gt_bead_delete",
        arguments: "rig_id, bead_ids (one or many)",
        result: "how many are gone",
        when: "only when a person asked for it",
    },
    Tool {
        name: "gt_list_convoys",
        arguments: "state?",
        result: "one line per convoy with its progress",
        when: "to say how far larger plans are",
    },
    Tool {
        name: "gt_convoy_status",
        arguments: "convoy_id",
        result: "its tasks, and what needs attention",
        when: "somebody asks about one convoy",
    },
    Tool {
        name: "gt_convoy_start",
        arguments: "convoy_id",
        result: "its progress",
        when: "a staged convoy is approved",
    },
    Tool {
        name: "gt_convoy_close",
        arguments: "convoy_id, reason?",
        result: "its progress",
        when: "only when a person declares it finished",
    },
    Tool {
        name: "gt_convoy_update",
        arguments: "convoy_id, merge_mode?, feature_branch?",
        result: "its progress",
        when: "to change how it lands",
    },
    Tool {
        name: "gt_convoy_add_bead",
        arguments: "convoy_id, bead_id, depends_on?[]",
        result: "how many tasks it has",
        when: "a bead belongs to it after all",
    },
    Tool {
        name: "gt_convoy_remove_bead",
        arguments: "convoy_id, bead_id",
        result: "how many tasks it has",
        when: "a bead does not belong to it",
    },
    Tool {
        name: "gt_convoy_retry",
        arguments: "convoy_id, bead_ids?[]",
        result: "its progress",
        when: "failed tasks are worth another attempt",
    },
    Tool {
        name: "gt_convoy_skip",
        arguments: "convoy_id, bead_ids?[]",
        result: "its progress",
        when: "it can land without its failed tasks",
    },
    Tool {
        name: "gt_convoy_abort",
        arguments: "convoy_id, reason?",
        result: "its progress",
        when: "only when a person asked for it; nothing lands",
    },
    Tool {
        name: "gt_agent_reset",
        arguments: "rig_id, agent_id",
        result: "that its bead is open again",
        when: "an agent is stuck and does not answer",
    },
    Tool {
        name: "gt_list_escalations",
        arguments: "acknowledged?, severity?, rig_id?",
        result: "one line per escalation",
        when: "to say what waits for a person",
    },
    Tool {
        name: "gt_escalation_acknowledge",
        arguments: "escalation_id",
        result: "that it is settled",
        when: "you or a person have dealt with it",
    },
    Tool {
        name: "gt_town_status",
        arguments: "",
        result: "the town in numbers, and what needs attention",
        when: "somebody asks how things are",
    },
    Tool {
        name: "gt_config_get",
        arguments: "",
        result: "the settings, masked",
        when: "somebody asks how the town is set up",
    },
    Tool {
        name: "gt_config_set",
        arguments: "patch, rig_id?",
        result: "the keys that changed",
        when: "only when a person asked for it; models, staging, merge mode and instructions are yours to change",
    },
    Tool {
        name: "gt_ui_action",
        arguments: "action_json",
        result: "that it is shown",
        when: "to open a bead, a convoy, an agent or a page in front of the person who asks",
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
