/** Tools of polecat, refinery and triage (api.md 8.1). */

import { z } from "zod";

import { type ApiError, get, post } from "./client.ts";
import { block, oneLine } from "./mark.ts";
import { segment } from "./session.ts";
import { row } from "./tool.ts";
import type { Bead, Mail, Molecule, MoleculeStep, PrimeContext, VerdictReply } from "./wire.ts";

const text = z.string().trim().min(1);
const json = (value: unknown): string => JSON.stringify(value, null, 2);

export const prime = row<PrimeContext>()({
  name: "gt_prime",
  family: "context",
  description:
    "Your whole context: you, the bead on your hook, review or convoy context, gates, new mail, open beads of the rig. At the start you have it already.",
  args: {},
  request: (_, { paths }) => get(`${paths.agent}/prime`, { peek: "true" }),
  result: ({ data }) => block("prime", json(data)),
  afterwards: ({ data }, { paths }) => acknowledge(paths.agent, data.undelivered_mail ?? []),
});

export const beadStatus = row<Bead>()({
  name: "gt_bead_status",
  family: "bead",
  description: "One bead of this rig: status, assignee, review state, branch, why it waits.",
  args: { bead_id: [text, "the bead's id, as a tool or your prompt gave it"] },
  request: ({ bead_id }, { paths }) => get(`${paths.rig}/beads/${segment(bead_id)}`),
  result: ({ data }) => block("bead", json(data)),
});

export const beadClose = row<Bead>()({
  name: "gt_bead_close",
  family: "bead",
  description: "Close your own bead, when there is nothing to submit. Work that changed files goes through gt_done.",
  args: { bead_id: [text, "your bead's id"] },
  request: ({ bead_id }, { paths, agentId }) =>
    post(`${paths.rig}/beads/${segment(bead_id)}/close`, { agent_id: agentId }),
  result: (_, { bead_id }) => `Closed bead ${oneLine(bead_id)}.`,
});

export const done = row<{ done: true; bead_id?: string | null }>()({
  name: "gt_done",
  family: "done",
  description:
    "Report that your work is complete: committed, pushed, gates green. Call it once, at the very end, then stop. Uncommitted files are refused.",
  args: {
    branch: [text.optional(), "your branch; left out: the one you were started with"],
    pr_url: [z.url().optional(), "an existing pull request of this branch, if there is one"],
    summary: [z.string().max(5000).optional(), "for the reviewer: what changed, why this way, how it was tested, what is open"],
  },
  request: ({ branch, pr_url, summary }, session) =>
    post(`${session.paths.agent}/done`, { branch: branch ?? session.branch, pr_url, summary }),
  result: ({ data }, { branch }, { session, kind }) =>
    kind === "work"
      ? `Submitted ${oneLine(branch ?? session.branch ?? "your work")} for review.`
      : `Done; ${data.bead_id ? `bead ${data.bead_id}` : "your bead"} is closed.`,
});

export const approve = row<VerdictReply>()({
  name: "gt_approve",
  family: "verdict",
  description: "Your verdict: the commit under review may be merged as it is. Ends your assignment.",
  args: { summary: [z.string().max(5000).optional(), "what you checked, and small remarks that need no change"] },
  request: ({ summary }, { paths }) => post(`${paths.agent}/verdict`, { verdict: "approve", summary }),
  result: () => "Approved. Gates and merge run now; you are finished.",
});

export const requestChanges = row<VerdictReply>()({
  name: "gt_request_changes",
  family: "verdict",
  description: "Your verdict: something must change before the merge. Ends your assignment.",
  args: {
    feedback: [text.max(65_536), "every finding: file, line, severity, what is wrong and why; complete on its own"],
    files: [z.array(text).max(200).optional(), "the files that the findings concern"],
  },
  request: ({ feedback, files }, { paths }) =>
    post(`${paths.agent}/verdict`, { verdict: "request_changes", feedback, files }),
  result: ({ data }) => {
    const round = data.round && data.rounds_max ? ` (round ${data.round} of ${data.rounds_max})` : "";
    const bead = data.rework_bead_id ? `, rework bead ${data.rework_bead_id}` : "";
    return `Changes requested${round}${bead}. You are finished.`;
  },
});

export const reject = row<VerdictReply>()({
  name: "gt_reject",
  family: "verdict",
  description: "Your verdict: the approach is wrong or unsafe, no change of this branch would help. Ends your assignment.",
  args: { reason: [text.max(5000), "why"] },
  request: ({ reason }, { paths }) => post(`${paths.agent}/verdict`, { verdict: "reject", feedback: reason }),
  result: () => "Rejected. You are finished.",
});

export const mailSend = row<{ to_name?: string | null }>()({
  name: "gt_mail_send",
  family: "mail",
  description: "Write to another agent of this rig, or to the mayor. Do not wait for an answer.",
  args: {
    to_agent_id: [text, "the receiver's id, as a tool or a mail gave it"],
    subject: [text.max(500), "one line"],
    body: [text.max(20_000), "everything the receiver needs"],
  },
  request: (values, { paths }) => post(`${paths.rig}/mail`, values),
  result: ({ data }, { to_agent_id }) => mailSent(data.to_name ?? to_agent_id),
});

export const mailCheck = row<Mail[]>()({
  name: "gt_mail_check",
  family: "report",
  description: "Your new mail.",
  args: {},
  request: (_, { paths }) => get(`${paths.agent}/mail`, { peek: "true" }),
  result: ({ data }) => (data.length === 0 ? "No pending mail." : data.map(mailText).join("\n\n")),
  afterwards: ({ data }, { paths }) => acknowledge(paths.agent, data),
});

export const escalate = row<{ id: string; priority?: string }>()({
  name: "gt_escalate",
  family: "report",
  description: "Ask people to decide or to help, when you cannot go on by yourself or something is wrong beyond your task.",
  args: {
    title: [text.max(500), "one line: what is wanted"],
    body: [z.string().max(65_536).optional(), "what you found, what you tried, what the choices are"],
    priority: [z.enum(["low", "medium", "high", "critical"]).optional(), "medium if left out"],
    metadata: [z.record(z.string(), z.unknown()).optional(), "an object of further facts"],
  },
  request: (values, { paths }) => post(`${paths.rig}/escalations`, values),
  result: ({ data }, { priority }) =>
    `Escalated ${data.id} (${data.priority ?? priority ?? "medium"}). A person will answer; continue if you can.`,
});

export const molCurrent = row<MoleculeStep>()({
  name: "gt_mol_current",
  family: "report",
  description: "The step of your bead that is to be done now, when it has steps.",
  args: {},
  request: (_, { paths }) => get(`${paths.agent}/molecule/current`),
  result: ({ data }) =>
    `Step ${data.currentStep + 1} of ${data.totalSteps}: ${oneLine(data.title)}\n${block("step", data.instructions)}`,
  refused: noMolecule,
});

export const molAdvance = row<Molecule | null>()({
  name: "gt_mol_advance",
  family: "report",
  description: "Say that the current step is done, and what came of it. Then look at the next one with gt_mol_current.",
  args: { summary: [text.max(5000), "what was done"] },
  request: ({ summary }, { paths }) => post(`${paths.agent}/molecule/advance`, { summary }),
  result: ({ data }) =>
    data === null || data.status === "completed" ? "Molecule completed." : `Step ${data.currentStep} done.`,
  refused: noMolecule,
});

export const nudge = row<{ nudge_id: string }>()({
  name: "gt_nudge",
  family: "mail",
  description: "Put one short message into another agent's session of this rig. Mail is for everything longer.",
  args: {
    target_agent_id: [text, "the receiver's id, as a tool or a mail gave it"],
    message: [text.max(4000), "what the receiver must know now"],
    mode: [z.enum(["wait-idle", "immediate", "queue"]).optional(), "wait-idle if left out"],
  },
  request: (values, { paths }) => post(`${paths.rig}/nudge`, values),
  result: ({ data }) => `Nudge ${data.nudge_id} queued.`,
});

export const checkpoint = row<{ written: true }>()({
  name: "gt_checkpoint",
  family: "report",
  description: "Save where you are, so that whoever continues after a cut-off starts there. Replaces the last one.",
  args: { data: [jsonText(), 'JSON text such as {"done": "…", "next": "…", "notes": "…"}'] },
  request: ({ data }, { paths }) => post(`${paths.agent}/checkpoint`, { data: JSON.parse(data) as unknown }),
  result: () => "Checkpoint saved.",
});

export const triageResolve = row<Bead>()({
  name: "gt_triage_resolve",
  family: "triage",
  description: "Decide one triage request.",
  args: {
    triage_request_bead_id: [text, "the request's id"],
    action: [text, "one of the actions that the request offers"],
    resolution_notes: [text.max(5000), "why, in one or two sentences"],
  },
  request: (values, { paths }) => post(`${paths.rig}/triage/resolve`, values),
  result: (_, values) => `Resolved ${oneLine(values.triage_request_bead_id)} with ${oneLine(values.action)}.`,
});

export const status = row<{ ok: true }>()({
  name: "gt_status",
  family: "report",
  description: "Show people in a few words what you are doing, when the phase of your work changes.",
  args: { message: [text.max(280), "at most 280 characters"] },
  request: ({ message }, { paths }) => post(`${paths.agent}/status`, { message }),
  result: () => "Status updated.",
});

export const mailSent = (name: string): string => `Mail sent to ${oneLine(name)}.`;

function noMolecule({ code }: ApiError): string | undefined {
  return code === "not_found" ? "No molecule." : undefined;
}

function mailText(mail: Mail): string {
  const from = `${mail.from_name ?? "Gas Town"}${mail.from_agent_id ? ` (${mail.from_agent_id})` : ""}`;
  const head = `From: ${oneLine(from)}\nAt: ${mail.created_at}\nSubject: ${oneLine(mail.subject)}`;
  return block("mail", `${head}\n\n${mail.body}`);
}

function acknowledge(agentPath: string, mails: readonly Mail[]) {
  if (mails.length === 0) return undefined;
  return post(`${agentPath}/mail/ack`, { mail_ids: mails.map((mail) => mail.id) });
}

/** Text that is JSON; anything else is told before any call is made. */
function jsonText() {
  return z.string().superRefine((value, context) => {
    try {
      JSON.parse(value);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      context.addIssue({ code: "custom", message: `this is not JSON: ${reason}` });
    }
  });
}
