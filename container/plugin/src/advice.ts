/** What to do after an error (api.md 8.3): one row per case; the first that fits is added to the error's text. */

import { ApiError } from "./client.ts";
import type { Family, Tool } from "./tool.ts";

interface Advice {
  readonly codes: readonly string[];
  readonly families: readonly Family[] | "any";
  text(error: ApiError, offered: ReadonlySet<string>): string;
}

const ADVICE: readonly Advice[] = [
  {
    codes: ["stale_assignment"],
    families: "any",
    text: () => "This assignment is over. Stop working; nothing was changed.",
  },
  {
    codes: ["terminal_bead", "illegal_transition"],
    families: ["bead", "verdict", "triage", "convoy", "assign"],
    text: (error, offered) => `${stateNow(error)}${fitting(offered)}`,
  },
  {
    codes: ["unknown_reference", "not_found"],
    families: ["mail", "sling", "bead", "batch", "assign", "convoy"],
    text: () => "Use an id that a tool gave you; never invent one.",
  },
  {
    codes: ["verdict_required"],
    families: ["done"],
    text: () => "Say approve, request_changes or reject.",
  },
  {
    codes: ["plan_unclear"],
    families: ["batch"],
    text: () => "Give depends_on to the tasks, or parallel: true if they are independent.",
  },
  {
    codes: ["dependency_cycle"],
    families: ["batch", "bead", "convoy"],
    text: ({ details }) => {
      const cycle = details["cycle"];
      return Array.isArray(cycle) ? `They wait in this order: ${cycle.map(String).join(" → ")}.` : "";
    },
  },
  {
    codes: ["agent_busy", "bead_assigned"],
    families: ["assign"],
    text: ({ details }) => {
      const bead = details["bead_id"] ? ` bead ${String(details["bead_id"])}` : " something else";
      const agent = details["agent_id"] ? `Agent ${String(details["agent_id"])}` : "That agent";
      return `${agent} works on${bead}.`;
    },
  },
  {
    codes: ["probable_duplicate"],
    families: ["sling", "batch"],
    text: ({ details }) =>
      `You already slung this as bead ${String(details["bead_id"] ?? "of the list")}. Pass allow_duplicate only if it is really wanted twice.`,
  },
  {
    codes: ["role_not_allowed", "credential_not_accepted"],
    families: "any",
    text: (_, offered) =>
      `Your role may not do this.${offered.has("gt_escalate") ? " Use gt_escalate if it is needed." : ""}`,
  },
  {
    codes: ["rate_limited", "overloaded", "draining"],
    families: "any",
    text: ({ retryAfterSeconds }) => `Try again in ${retryAfterSeconds ?? 60} s.`,
  },
];

export function withAdvice(error: ApiError, tool: Tool, offered: ReadonlySet<string>): ApiError {
  const advice = ADVICE.find(
    ({ codes, families }) => codes.includes(error.code) && (families === "any" || families.includes(tool.family)),
  );
  if (!advice) return error;
  const text = `${error.text.replace(/[.\s]+$/, "")}. ${advice.text(error, offered)}`;
  return new ApiError(error.status, error.code, text, error.details, error.retryAfterSeconds);
}

function stateNow({ details }: ApiError): string {
  const state = details["status"] ?? details["review_state"] ?? details["state"];
  return state === undefined ? "" : `It is ${String(state)} now. `;
}

function fitting(offered: ReadonlySet<string>): string {
  return offered.has("gt_sling")
    ? "Look at it with gt_list_beads; what is over can only be slung anew."
    : "Look at it with gt_bead_status before you go on.";
}
