/** Tools of the mayor for convoys (api.md 8.2): several tasks that land together. */

import { z } from "zod";

import { get, patch, post } from "./client.ts";
import { list } from "./mayor.ts";
import { block, oneLine } from "./mark.ts";
import { segment, type Session } from "./session.ts";
import { row } from "./tool.ts";
import type { Agent, Bead, Convoy, Wait } from "./wire.ts";

const text = z.string().trim().min(1);
const convoy_id = [text, "the convoy's id"] as const;
const bead_ids = [z.array(text).optional(), "which failed tasks; all of them if left out"] as const;
const mode = z.enum(["review-then-land", "review-and-merge"]);

const task = z.object({
  title: text.max(500),
  body: z.string().max(65_536).optional(),
  rig_id: text.optional(),
  priority: z.enum(["low", "medium", "high", "critical"]).optional(),
  labels: z.array(text).max(32).optional(),
  model: text.optional(),
  depends_on: z.array(z.union([z.number().int().min(0), text])).optional(),
});

interface BatchReply {
  convoy: Convoy;
  beads: { bead: Bead; agent: Agent | null; wait: Wait | null }[];
}

export const slingBatch = row<BatchReply>()({
  name: "gt_sling_batch",
  family: "batch",
  description:
    "Give several tasks that belong together, as one convoy. Say with depends_on what waits for what, or parallel: true.",
  args: {
    convoy_title: [text.max(500), "what will be there when all tasks are done"],
    tasks: [
      z.array(task).min(1).max(50),
      "objects with title, body, rig_id, priority, labels, model, depends_on (indexes of this list, or bead ids)",
    ],
    rig_id: [text.optional(), "rig of the tasks that name none"],
    merge_mode: [mode.optional(), "the town's setting if left out"],
    parallel: [z.boolean().optional(), "true if the tasks are independent"],
    staged: [z.boolean().optional(), "true to let a person look at the plan before it starts"],
    metadata: [z.record(z.string(), z.unknown()).optional(), "an object of further facts"],
    allow_duplicate: [z.boolean().optional(), "true only if the same convoy is really wanted twice"],
  },
  request: (values, { paths }) => post(`${paths.mayor}/sling-batch`, values),
  result: ({ data }, { staged }) => {
    const lines = data.beads.map(({ bead, agent, wait }) => {
      const who = agent ? oneLine(agent.name) : (wait?.message ?? "waits");
      return `- ${bead.bead_id} ${oneLine(bead.title)}: ${oneLine(who)}`;
    });
    const head = `Convoy ${data.convoy.id} with ${data.beads.length} tasks`;
    const tail = staged ? ["Not started. Review it, then gt_convoy_start."] : [];
    return [head, ...lines, ...tail].join("\n");
  },
});

export const listConvoys = row<Convoy[]>()({
  name: "gt_list_convoys",
  family: "list",
  description: "Convoys that have not landed, with their progress.",
  args: { state: [text.optional(), "staged, active, needs_attention, landing, landed, aborted; several with commas"] },
  request: (values, { paths }) => get(`${paths.mayor}/convoys`, { ...values }),
  result: (reply) => list("convoys", reply, progress, "No convoys."),
});

export const convoyStatus = row<Convoy>()({
  name: "gt_convoy_status",
  family: "list",
  description: "One convoy with its tasks, and what needs attention.",
  args: { convoy_id },
  request: ({ convoy_id }, session) => get(of(session, convoy_id)),
  result: ({ data }) => block("convoy", detail(data)),
});

export const convoyStart = row<{ convoy: Convoy }>()({
  name: "gt_convoy_start",
  family: "convoy",
  description: "Start a staged convoy.",
  args: { convoy_id },
  request: ({ convoy_id }, session) => post(`${of(session, convoy_id)}/start`, {}),
  result: ({ data }) => progress(data.convoy),
});

export const convoyClose = row<Convoy>()({
  name: "gt_convoy_close",
  family: "convoy",
  description: "Declare a convoy finished: what is live is closed, nothing more lands. Only when a person asked for it.",
  args: { convoy_id, reason: [z.string().max(5000).optional(), "why"] },
  request: ({ convoy_id, reason }, session) => post(`${of(session, convoy_id)}/close`, { reason }),
  result: ({ data }) => progress(data),
});

export const convoyUpdate = row<Convoy>()({
  name: "gt_convoy_update",
  family: "convoy",
  description: "Change how a convoy is merged, or its branch.",
  args: {
    convoy_id,
    merge_mode: [mode.optional(), "new mode"],
    feature_branch: [text.optional(), "new branch"],
  },
  request: ({ convoy_id, ...fields }, session) => patch(of(session, convoy_id), fields),
  result: ({ data }) => progress(data),
});

export const convoyAddBead = row<{ total_beads: number }>()({
  name: "gt_convoy_add_bead",
  family: "convoy",
  description: "Take a bead that exists into a convoy.",
  args: {
    convoy_id,
    bead_id: [text, "the bead's id"],
    depends_on: [z.array(text).optional(), "tasks of the convoy that it waits for"],
  },
  request: ({ convoy_id, ...fields }, session) => post(`${of(session, convoy_id)}/add-bead`, fields),
  result: ({ data }) => `The convoy has ${data.total_beads} tasks.`,
});

export const convoyRemoveBead = row<{ total_beads: number }>()({
  name: "gt_convoy_remove_bead",
  family: "convoy",
  description: "Take a bead out of a convoy; it stays a bead.",
  args: { convoy_id, bead_id: [text, "the bead's id"] },
  request: ({ convoy_id, bead_id }, session) => post(`${of(session, convoy_id)}/remove-bead`, { bead_id }),
  result: ({ data }) => `The convoy has ${data.total_beads} tasks.`,
});

export const convoyRetry = decision("retry", "Try failed tasks of a convoy again.");
export const convoySkip = decision("skip", "Leave failed tasks of a convoy out, and free what waits for them.");

export const convoyAbort = row<Convoy>()({
  name: "gt_convoy_abort",
  family: "convoy",
  description: "End a convoy without landing anything; branches are kept. Only when a person asked for it.",
  args: { convoy_id, reason: [z.string().max(5000).optional(), "why"] },
  request: ({ convoy_id, reason }, session) => post(`${of(session, convoy_id)}/abort`, { reason }),
  result: ({ data }) => progress(data),
});

function decision(word: "retry" | "skip", description: string) {
  return row<Convoy>()({
    name: `gt_convoy_${word}`,
    family: "convoy",
    description,
    args: { convoy_id, bead_ids },
    request: ({ convoy_id, bead_ids }, session) => post(`${of(session, convoy_id)}/${word}`, { bead_ids }),
    result: ({ data }) => progress(data),
  });
}

function of({ paths }: Session, convoyId: string): string {
  return `${paths.mayor}/convoys/${segment(convoyId)}`;
}

function progress(convoy: Convoy): string {
  const counts = [
    `${convoy.closed_beads} of ${convoy.total_beads} closed`,
    convoy.in_flight_beads ? `${convoy.in_flight_beads} in flight` : undefined,
    convoy.failed_beads ? `${convoy.failed_beads} failed` : undefined,
    convoy.skipped_beads ? `${convoy.skipped_beads} skipped` : undefined,
  ];
  const attention = convoy.failure ? `; needs attention: ${convoy.failure.message}` : "";
  return oneLine(`- ${convoy.id} [${convoy.state}] ${convoy.title} (${counts.filter(Boolean).join(", ")}${attention})`);
}

function detail(convoy: Convoy): string {
  const tasks = (convoy.beads ?? []).map((task) => {
    const facts = [task.assignee_agent_name, task.wait?.message].filter(Boolean).join("; ");
    return oneLine(`- ${task.bead_id} [${task.status}] ${task.title}${facts ? ` (${facts})` : ""}`);
  });
  const allowed = convoy.actions?.length ? [`possible now: ${convoy.actions.join(", ")}`] : [];
  return [progress(convoy), ...tasks, ...allowed].join("\n");
}
