/** Tools of the mayor for beads and agents that exist (api.md 8.2). */

import { z } from "zod";

import { get, patch, post, remove } from "./client.ts";
import { beadLine } from "./mayor.ts";
import { block, oneLine } from "./mark.ts";
import { segment } from "./session.ts";
import { row } from "./tool.ts";
import type { Bead, Explain } from "./wire.ts";

const text = z.string().trim().min(1);
const rig_id = [text, "the rig's id"] as const;
const bead_id = [text, "the bead's id"] as const;
const priority = z.enum(["low", "medium", "high", "critical"]);

export const beadExplain = row<Explain>()({
  name: "gt_bead_explain",
  family: "bead",
  description: "Why a bead is where it is: what it waits for, what blocks it, who tried it with which model and cost.",
  args: { bead_id },
  request: ({ bead_id }, { paths }) => get(`${paths.mayor}/beads/${segment(bead_id)}/explain`),
  result: ({ data }) => block("explanation", explained(data)),
});

export const beadUpdate = row<Bead>()({
  name: "gt_bead_update",
  family: "bead",
  description: "Change fields of a bead. Name only what changes.",
  args: {
    rig_id,
    bead_id,
    title: [text.max(500).optional(), "new title"],
    body: [z.string().max(65_536).optional(), "new text"],
    priority: [priority.optional(), "new priority"],
    labels: [z.array(text).max(32).optional(), "all labels; those left out are removed"],
    status: [z.enum(["open", "closed", "failed"]).optional(), "close or fail it by hand"],
    depends_on: [z.array(text).optional(), "all beads that it waits for; those left out are removed"],
    model: [text.optional(), "only when a person asked for a certain model"],
  },
  request: ({ rig_id, bead_id, ...fields }, { paths }) => patch(pathOf(paths.mayor, rig_id, bead_id), fields),
  result: ({ data }) => beadLine(data),
});

export const beadReassign = row<Bead>()({
  name: "gt_bead_reassign",
  family: "assign",
  description: "Give a bead to a certain agent.",
  args: { rig_id, bead_id, agent_id: [text, "the agent's id, from gt_list_agents"] },
  request: ({ rig_id, bead_id, agent_id }, { paths }) =>
    post(`${pathOf(paths.mayor, rig_id, bead_id)}/reassign`, { agent_id }),
  result: ({ data }) => beadLine(data),
});

export const beadRetry = row<Bead>()({
  name: "gt_bead_retry",
  family: "bead",
  description: "Try a failed bead again.",
  args: { rig_id, bead_id, note: [z.string().max(5000).optional(), "what the next attempt should know"] },
  request: ({ rig_id, bead_id, note }, { paths }) => post(`${pathOf(paths.mayor, rig_id, bead_id)}/retry`, { note }),
  result: ({ data }) => beadLine(data),
});

export const beadDelete = row<{ deleted: boolean | number }>()({
  name: "gt_bead_delete",
  family: "bead",
  description: "Delete beads that are not wanted at all, with everything below them. Only when a person asked for it.",
  args: { rig_id, bead_ids: [z.union([text, z.array(text).min(1).max(5000)]), "one id, or a list of ids"] },
  request: ({ rig_id, bead_ids }, { paths }) =>
    typeof bead_ids === "string"
      ? remove(pathOf(paths.mayor, rig_id, bead_ids))
      : post(`${paths.mayor}/rigs/${segment(rig_id)}/beads/bulk-delete`, { bead_ids }),
  result: ({ data }) => `Deleted ${Number(data.deleted)}.`,
});

export const agentReset = row<{ reset: true }>()({
  name: "gt_agent_reset",
  family: "bead",
  description: "Take an agent's work away and let it begin anew; its bead goes back to the queue.",
  args: { rig_id, agent_id: [text, "the agent's id, from gt_list_agents"] },
  request: ({ rig_id, agent_id }, { paths }) =>
    post(`${paths.mayor}/rigs/${segment(rig_id)}/agents/${segment(agent_id)}/reset`, {}),
  result: (_, { agent_id }) => `Reset ${oneLine(agent_id)}; its bead is open again.`,
});

export const nudge = row<{ nudge_id: string }>()({
  name: "gt_nudge",
  family: "mail",
  description: "Put one short message into an agent's session.",
  args: {
    rig_id,
    target_agent_id: [text, "the receiver's id, from gt_list_agents"],
    message: [text.max(4000), "what the receiver must know now"],
    mode: [z.enum(["wait-idle", "immediate", "queue"]).optional(), "wait-idle if left out"],
  },
  request: (values, { paths }) => post(`${paths.mayor}/nudge`, values),
  result: ({ data }) => `Nudge ${data.nudge_id} queued.`,
});

function pathOf(mayor: string, rigId: string, beadId: string): string {
  return `${mayor}/rigs/${segment(rigId)}/beads/${segment(beadId)}`;
}

function explained({ bead, waits, blockers, assignments }: Explain): string {
  const lines = [
    beadLine(bead),
    ...waits.map((wait) => `waits: ${oneLine(wait.message)}`),
    ...(blockers ?? []).map((blocker) => `blocked by ${blocker.bead_id} [${blocker.status}] ${oneLine(blocker.title)}`),
    ...assignments.map((attempt) => {
      const cost = attempt.cost_usd == null ? "" : `, ${attempt.cost_usd} USD`;
      return `attempt: ${attempt.kind} by ${oneLine(attempt.agent_name)} with ${attempt.model ?? "no model yet"}, ${attempt.outcome ?? "running"}${cost}`;
    }),
  ];
  return lines.join("\n");
}

