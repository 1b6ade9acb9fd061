/** Tools of the mayor for the town: escalations, status, settings, what people see (api.md 8.2). */

import { z } from "zod";

import { get, patch, post } from "./client.ts";
import { list } from "./mayor.ts";
import { block, oneLine } from "./mark.ts";
import { segment } from "./session.ts";
import { row } from "./tool.ts";
import type { Escalation } from "./wire.ts";

const text = z.string().trim().min(1);

export const listEscalations = row<Escalation[]>()({
  name: "gt_list_escalations",
  family: "list",
  description: "Escalations that wait for people.",
  args: {
    acknowledged: [z.boolean().optional(), "true for those that are settled; open ones if left out"],
    severity: [text.optional(), "low, medium, high, critical; several with commas"],
    rig_id: [text.optional(), "only of this rig"],
  },
  request: ({ acknowledged, ...rest }, { paths }) =>
    get(`${paths.mayor}/escalations`, { acknowledged: String(acknowledged ?? false), ...rest }),
  result: (reply) => list("escalations", reply, escalationLine, "No escalations."),
});

export const escalationAcknowledge = row<Escalation>()({
  name: "gt_escalation_acknowledge",
  family: "bead",
  description: "Settle an escalation that you, or a person who told you, have dealt with.",
  args: { escalation_id: [text, "the escalation's id"] },
  request: ({ escalation_id }, { paths }) =>
    post(`${paths.mayor}/escalations/${segment(escalation_id)}/acknowledge`, {}),
  result: () => "Acknowledged.",
});

export const townStatus = row<Record<string, unknown>>()({
  name: "gt_town_status",
  family: "list",
  description: "The town in numbers: agents, beads, slots, budget, breaker, runtime, and what needs attention.",
  args: {},
  request: (_, { paths }) => get(`${paths.mayor}/status`),
  result: ({ data }) => block("status", JSON.stringify(data, null, 2)),
});

export const configGet = row<Record<string, unknown>>()({
  name: "gt_config_get",
  family: "list",
  description: "The town's settings; secrets are masked.",
  args: {},
  request: (_, { paths }) => get(`${paths.mayor}/config`),
  result: ({ data }) => block("settings", JSON.stringify(data, null, 2)),
});

export const configSet = row<Record<string, unknown>>()({
  name: "gt_config_set",
  family: "list",
  description:
    "Change settings that are yours to change (models, staging, merge mode, instructions). Only when a person asked for it.",
  args: {
    patch: [z.record(z.string(), z.unknown()), "an object of the keys to change; null clears one"],
    rig_id: [text.optional(), "a rig's own settings instead of the town's"],
  },
  request: (values, { paths }) =>
    patch(`${paths.mayor}/config`, values.rig_id ? { ...values.patch, rig_id: values.rig_id } : values.patch),
  result: (_, values) => `Changed ${oneLine(Object.keys(values.patch).join(", "))}.`,
});

export const uiAction = row<{ broadcast: true }>()({
  name: "gt_ui_action",
  family: "bead",
  description:
    "Show something in the dashboards that are open: open_bead_drawer, open_convoy_drawer, open_agent_drawer, highlight_bead, navigate.",
  args: { action_json: [jsonObject(), 'JSON text such as {"type": "navigate", "page": "beads"}'] },
  request: ({ action_json }, { paths }) =>
    post(`${paths.mayor}/ui-action`, { action: JSON.parse(action_json) as unknown }),
  result: () => "Shown.",
});

function escalationLine(row: Escalation): string {
  const about = row.source_bead_id ? `; about bead ${row.source_bead_id}` : "";
  const state = row.acknowledged ? "settled" : "open";
  return oneLine(`- ${row.id} [${state}, ${row.severity}] ${row.title ?? row.message} (since ${row.created_at}${about})`);
}

/** Text that is a JSON object; anything else is told before any call is made. */
function jsonObject() {
  return z.string().superRefine((value, context) => {
    try {
      const parsed: unknown = JSON.parse(value);
      if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return;
      context.addIssue({ code: "custom", message: "this is not a JSON object" });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      context.addIssue({ code: "custom", message: `this is not JSON: ${reason}` });
    }
  });
}
