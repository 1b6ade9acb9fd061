/** Tools of the mayor (api.md 8.2). Lists are one line per thing, since the mayor reads them to people. */

import { z } from "zod";

import { mailSent } from "./agent.ts";
import { get, post, type Reply } from "./client.ts";
import { block, oneLine } from "./mark.ts";
import { row } from "./tool.ts";
import type { Agent, Bead, Rig, SlingReply } from "./wire.ts";

const text = z.string().trim().min(1);

/** Beads in one answer: what fits on a screen; the text says when there is more. */
const LIST_LIMIT = 50;

export const sling = row<SlingReply>()({
  name: "gt_sling",
  family: "sling",
  description:
    "Give one task to a rig: a polecat takes it as soon as one is free. Returns at once; never wait for the polecat.",
  args: {
    rig_id: [text, "id of the rig, from gt_list_rigs"],
    title: [text.max(500), "stands alone: what will be different"],
    body: [z.string().max(65_536).optional(), "everything the polecat needs, since it cannot ask"],
    priority: [z.enum(["low", "medium", "high", "critical"]).optional(), "medium if left out"],
    labels: [z.array(text).max(32).optional(), "labels; gt:held keeps the task from starting"],
    metadata: [z.record(z.string(), z.unknown()).optional(), "an object of further facts"],
    model: [text.optional(), "only when a person asked for a certain model"],
    depends_on: [z.array(text).optional(), "ids of beads that must be merged first"],
    allow_duplicate: [z.boolean().optional(), "true only if the same task is really wanted twice"],
  },
  request: (values, { paths }) => post(`${paths.mayor}/sling`, values),
  result: ({ data }, { rig_id }) => slungText(data, rig_id),
});

export const listRigs = row<Rig[]>()({
  name: "gt_list_rigs",
  family: "list",
  description: "The rigs (repositories) of this town: id, name, repository, branches, purpose.",
  args: {},
  request: (_, { paths }) => get(`${paths.mayor}/rigs`),
  result: (reply) => list("rigs", reply, rigLine, "No rigs in this town yet; a person connects one in the dashboard."),
});

export const listBeads = row<Bead[]>()({
  name: "gt_list_beads",
  family: "list",
  description: "Beads (tasks and reviews), newest first, of all rigs unless one is named.",
  args: {
    rig_id: [text.optional(), "only of this rig"],
    status: [text.optional(), "open, in_progress, in_review, closed, failed; several with commas"],
    type: [text.optional(), "issue, merge_request, convoy, escalation, message; several with commas"],
    q: [text.optional(), "words that the title or body contains"],
  },
  request: (values, { paths }) => get(`${paths.mayor}/beads`, { ...values, limit: LIST_LIMIT }),
  result: (reply) => list("beads", reply, beadLine, "No beads."),
});

export const listAgents = row<Agent[]>()({
  name: "gt_list_agents",
  family: "list",
  description: "Agents with what they work on, of all rigs unless one is named.",
  args: {
    rig_id: [text.optional(), "only of this rig"],
    status: [text.optional(), "idle, working, waiting, stalled, dead; several with commas"],
  },
  request: (values, { paths }) => get(`${paths.mayor}/agents`, { ...values }),
  result: (reply) => list("agents", reply, agentLine, "No agents."),
});

export const mailSend = row<{ to_name?: string | null }>()({
  name: "gt_mail_send",
  family: "mail",
  description: "Write to an agent of any rig, to tell it something that changes its task. Do not wait for an answer.",
  args: {
    rig_id: [text, "the receiver's rig"],
    to_agent_id: [text, "the receiver's id, from gt_list_agents"],
    subject: [text.max(500), "one line"],
    body: [text.max(20_000), "everything the receiver needs"],
  },
  request: (values, { paths }) => post(`${paths.mayor}/mail`, values),
  result: ({ data }, { to_agent_id }) => mailSent(data.to_name ?? to_agent_id),
});

function slungText({ bead, agent, model, wait }: SlingReply, rigId: string): string {
  const title = oneLine(bead.title);
  const rig = oneLine(bead.rig_name ?? bead.rig_id ?? rigId);
  if (!agent) return `Queued '${title}' in ${rig} (bead ${bead.bead_id}): ${wait?.message ?? "no polecat is free"}`;
  const modelId = typeof model === "string" ? model : model.model;
  return `Slung '${title}' to ${oneLine(agent.name)} in ${rig} (bead ${bead.bead_id}, ${modelId}).`;
}

export function list<T>(label: string, { data, hasMore }: Reply<T[]>, line: (item: T) => string, empty: string): string {
  if (data.length === 0) return empty;
  const text = block(label, data.map(line).join("\n"));
  return hasMore ? `${text}\nThere is more: name a rig, a status or words to see it.` : text;
}

function rigLine(rig: Rig): string {
  const target = rig.target_branch ?? rig.default_branch;
  const purpose = rig.purpose ? `; purpose: ${rig.purpose}` : "";
  return oneLine(`- ${rig.id}: ${rig.name}, ${rig.git_url}, default branch ${rig.default_branch}, merged into ${target}${purpose}`);
}

export function beadLine(bead: Bead): string {
  const facts = [
    `rig ${bead.rig_name ?? bead.rig_id ?? "none"}`,
    bead.type === "issue" ? undefined : bead.type,
    bead.priority === "medium" ? undefined : `priority ${bead.priority}`,
    bead.held ? "held" : undefined,
    bead.assignee_name ? `agent ${bead.assignee_name}` : undefined,
    bead.review_state ? `review ${bead.review_state}` : undefined,
    bead.wait ? `waits: ${bead.wait.message}` : undefined,
    bead.failure ? `failed: ${bead.failure.message}` : undefined,
  ];
  return oneLine(`- ${bead.bead_id} [${bead.status}] ${bead.title} (${facts.filter(Boolean).join("; ")})`);
}

function agentLine(agent: Agent): string {
  const where = `${agent.role}, rig ${agent.rig_name ?? agent.rig_id ?? "none"}`;
  const { assignment } = agent;
  const work = assignment ? `: ${assignment.kind} of bead ${assignment.bead_id} "${assignment.bead_title}", ${assignment.phase}` : "";
  const says = agent.agent_status_message ? `; says: ${agent.agent_status_message}` : "";
  return oneLine(`- ${agent.id} ${agent.name} (${where}) ${agent.status}${work}${says}`);
}
