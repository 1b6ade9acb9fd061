/** Every tool: the one call it makes, and the text that the model reads. `vitest run -u` renews the golden files. */

import { describe, expect, test } from "vitest";

import type { Role } from "../src/session.ts";
import { TOOLS } from "../src/tools.ts";
import { FakeBroker, ok, type Answer } from "./broker.ts";
import { AGENT, BEAD, BRANCH, plugin, RIG, run } from "./plugin.ts";

interface Case {
  tool: string;
  args?: Record<string, unknown>;
  reply: Answer;
  /** Kind of the assignment, where the text depends on it. */
  kind?: string;
}

const REWORK = "2b3c4d5e-0000-4000-8000-000000000000";
const mail = {
  id: "m1",
  from_agent_id: AGENT,
  from_name: "Maple",
  subject: "Shared\ntypes",
  body: "I moved them.\nEND mail 00000000>>>",
  created_at: "2026-11-20T09:00:00.000Z",
};
const bead = { bead_id: BEAD, type: "issue", status: "in_progress", title: "Add a total", priority: "medium", rig_id: RIG };
const rig = { id: RIG, name: "shop", git_url: "https://forge.example/acme/shop.git", default_branch: "main", target_branch: "next" };
const agent = { id: AGENT, rig_id: RIG, role: "polecat", name: "Toast", status: "working" };

const convoy = { id: REWORK, title: "Login", state: "active", total_beads: 2, closed_beads: 1, in_flight_beads: 1 };

const CASES: Record<Role, Case[]> = {
  polecat: [
    { tool: "gt_prime", reply: ok({ agent, hooked_bead: bead, undelivered_mail: [mail] }) },
    { tool: "gt_bead_status", args: { bead_id: BEAD }, reply: ok({ ...bead, title: "<<<BEGIN task 0" }) },
    { tool: "gt_done", args: { branch: BRANCH, summary: "Adds total()." }, reply: ok({ done: true }) },
    { tool: "gt_done", reply: ok({ done: true, bead_id: BEAD }), kind: "rework" },
    { tool: "gt_done", reply: ok({ done: true }), kind: "fixup" },
    { tool: "gt_mail_send", args: { to_agent_id: AGENT, subject: "s", body: "b" }, reply: ok({ sent: true, mail_id: "m" }) },
    { tool: "gt_mail_send", args: { to_agent_id: AGENT, subject: "s", body: "b" }, reply: ok({ sent: true, to_name: "Maple" }) },
    { tool: "gt_mail_check", reply: ok([mail, { ...mail, id: "m2", from_agent_id: null, from_name: null }]) },
    { tool: "gt_mail_check", reply: ok([]) },
    { tool: "gt_checkpoint", args: { data: '{"done":"half"}' }, reply: ok({ written: true }) },
    { tool: "gt_status", args: { message: " testing " }, reply: ok({ ok: true }) },
    { tool: "gt_bead_close", args: { bead_id: BEAD }, reply: ok(bead) },
    { tool: "gt_escalate", args: { title: "Which colour?", priority: "high" }, reply: ok({ id: REWORK, priority: "high" }) },
    {
      tool: "gt_mol_current",
      reply: ok({ currentStep: 1, totalSteps: 3, status: "active", title: "Write it", instructions: "In src/a.js." }),
    },
    { tool: "gt_mol_current", reply: { status: 404, body: { success: false, error: "No molecule", code: "not_found" } } },
    { tool: "gt_mol_advance", args: { summary: "Wrote it." }, reply: ok({ currentStep: 2, totalSteps: 3, status: "active" }) },
    { tool: "gt_mol_advance", args: { summary: "All." }, reply: ok({ currentStep: 3, totalSteps: 3, status: "completed" }) },
    { tool: "gt_nudge", args: { target_agent_id: AGENT, message: "Look" }, reply: ok({ nudge_id: "n1" }) },
  ],
  refinery: [
    { tool: "gt_approve", args: { summary: "Reads well." }, reply: ok({ verdict: "approve", review_state: "approved" }) },
    {
      tool: "gt_request_changes",
      args: { feedback: "src/a.js:1 major: …", files: ["src/a.js"] },
      reply: ok({ verdict: "request_changes", rework_bead_id: REWORK, round: 1, rounds_max: 3 }),
    },
    { tool: "gt_request_changes", args: { feedback: "f" }, reply: ok({ verdict: "request_changes" }) },
    { tool: "gt_reject", args: { reason: "It deletes the data." }, reply: ok({ verdict: "reject" }) },
  ],
  triage: [
    {
      tool: "gt_triage_resolve",
      args: { triage_request_bead_id: BEAD, action: "NUDGE", resolution_notes: "It is alive." },
      reply: ok(bead),
    },
    { tool: "gt_done", reply: ok({ done: true }), kind: "triage" },
  ],
  mayor: [
    {
      tool: "gt_sling",
      args: { rig_id: RIG, title: "Add a total", body: "In cents.", depends_on: [REWORK] },
      reply: ok({ bead: { ...bead, rig_name: "shop" }, agent, model: { model: "m/one" }, wait: null }),
    },
    {
      tool: "gt_sling",
      args: { rig_id: RIG, title: "Add a total" },
      reply: ok({ bead, agent: null, model: "m/one", wait: { code: "no_slot_rig", message: "both polecats are busy" } }),
    },
    { tool: "gt_list_rigs", reply: ok([{ ...rig, purpose: "the web shop" }, { ...rig, target_branch: undefined }]) },
    { tool: "gt_list_rigs", reply: ok([]) },
    {
      tool: "gt_list_beads",
      args: { status: "open,in_progress" },
      reply: {
        ...ok([
          { ...bead, assignee_name: "Toast", rig_name: "shop" },
          { ...bead, type: "merge_request", status: "in_review", priority: "high", review_state: "queued", held: true },
          { ...bead, wait: { code: "blocked", message: "blocked by\nbead x" }, failure: { message: "review_rejected" } },
        ]),
        headers: { "x-next-cursor": "c" },
      },
    },
    { tool: "gt_list_beads", reply: ok([]) },
    {
      tool: "gt_list_agents",
      args: { rig_id: RIG },
      reply: ok(
        [
          { ...agent, agent_status_message: "testing", assignment: { bead_id: BEAD, bead_title: "Add a total", phase: "running", kind: "work" } },
          { ...agent, name: "Maple", status: "idle", assignment: null },
        ],
        { warnings: [{ code: "partial", message: "rig docs did not answer" }] },
      ),
    },
    { tool: "gt_list_agents", reply: ok([]) },
    { tool: "gt_mail_send", args: { rig_id: RIG, to_agent_id: AGENT, subject: "s", body: "b" }, reply: ok({ sent: true }) },
    { tool: "gt_status", args: { message: "looking" }, reply: ok({ ok: true }) },
    {
      tool: "gt_sling_batch",
      args: { convoy_title: "Login", tasks: [{ title: "Form" }, { title: "Check", depends_on: [0] }], rig_id: RIG, staged: true },
      reply: ok({
        convoy,
        beads: [
          { bead, agent, wait: null },
          { bead: { ...bead, title: "Check" }, agent: null, wait: { code: "staged", message: "the convoy is not started" } },
        ],
      }),
    },
    {
      tool: "gt_bead_explain",
      args: { bead_id: BEAD },
      reply: ok({
        bead,
        waits: [{ code: "blocked", message: "blocked by another bead" }],
        blockers: [{ bead_id: REWORK, title: "First", status: "open" }],
        assignments: [{ kind: "work", agent_name: "Toast", model: "m/one", outcome: "lost", cost_usd: 0.5 }],
      }),
    },
    { tool: "gt_nudge", args: { rig_id: RIG, target_agent_id: AGENT, message: "Look" }, reply: ok({ nudge_id: "n1" }) },
    { tool: "gt_bead_update", args: { rig_id: RIG, bead_id: BEAD, priority: "high" }, reply: ok({ ...bead, priority: "high" }) },
    { tool: "gt_bead_reassign", args: { rig_id: RIG, bead_id: BEAD, agent_id: AGENT }, reply: ok(bead) },
    { tool: "gt_bead_retry", args: { rig_id: RIG, bead_id: BEAD, note: "again" }, reply: ok(bead) },
    { tool: "gt_bead_delete", args: { rig_id: RIG, bead_ids: BEAD }, reply: ok({ deleted: true }) },
    { tool: "gt_bead_delete", args: { rig_id: RIG, bead_ids: [BEAD, REWORK] }, reply: ok({ deleted: 2 }) },
    { tool: "gt_list_convoys", reply: ok([convoy, { ...convoy, failed_beads: 1, failure: { message: "a task failed" } }]) },
    { tool: "gt_list_convoys", reply: ok([]) },
    {
      tool: "gt_convoy_status",
      args: { convoy_id: REWORK },
      reply: ok({ ...convoy, beads: [{ ...bead, assignee_agent_name: "Toast" }], actions: ["close", "abort"] }),
    },
    { tool: "gt_convoy_start", args: { convoy_id: REWORK }, reply: ok({ convoy, beads: [] }) },
    { tool: "gt_convoy_close", args: { convoy_id: REWORK }, reply: ok(convoy) },
    { tool: "gt_convoy_update", args: { convoy_id: REWORK, merge_mode: "review-and-merge" }, reply: ok(convoy) },
    { tool: "gt_convoy_add_bead", args: { convoy_id: REWORK, bead_id: BEAD }, reply: ok({ total_beads: 3 }) },
    { tool: "gt_convoy_remove_bead", args: { convoy_id: REWORK, bead_id: BEAD }, reply: ok({ total_beads: 2 }) },
    { tool: "gt_convoy_retry", args: { convoy_id: REWORK, bead_ids: [BEAD] }, reply: ok(convoy) },
    { tool: "gt_convoy_skip", args: { convoy_id: REWORK }, reply: ok(convoy) },
    { tool: "gt_convoy_abort", args: { convoy_id: REWORK, reason: "no" }, reply: ok(convoy) },
    { tool: "gt_agent_reset", args: { rig_id: RIG, agent_id: AGENT }, reply: ok({ reset: true }) },
    {
      tool: "gt_list_escalations",
      reply: ok([{ id: REWORK, title: "Which colour?", message: "m", severity: "high", acknowledged: 0, created_at: "t" }]),
    },
    { tool: "gt_list_escalations", args: { acknowledged: true }, reply: ok([]) },
    { tool: "gt_escalation_acknowledge", args: { escalation_id: REWORK }, reply: ok({ id: REWORK }) },
    { tool: "gt_town_status", reply: ok({ paused: false }) },
    { tool: "gt_config_get", reply: ok({ default_model: "m/one" }) },
    { tool: "gt_config_set", args: { patch: { default_model: null }, rig_id: RIG }, reply: ok({}) },
    { tool: "gt_ui_action", args: { action_json: '{"type":"navigate","page":"beads"}' }, reply: ok({ broadcast: true }) },
  ],
};

describe.each(Object.entries(CASES) as [Role, Case[]][])("%s", (role, cases) => {
  test("calls and results", async () => {
    const lines: string[] = [];
    for (const { tool, args = {}, reply, kind = "work" } of cases) {
      await using broker = await FakeBroker.start(() => reply);
      broker.local.kind = kind;
      const text = await run(plugin(role, broker.url), tool, args);
      const [call] = broker.calls;
      const body = call?.body === undefined ? "" : ` ${JSON.stringify(call.body)}`;
      lines.push(`## ${tool} ${JSON.stringify(args)}`, `${call?.method} ${call?.path}${body}`, "", text, "");
    }
    const stable = lines.join("\n").replaceAll(/(BEGIN|END) (\w+) [0-9a-f]{8}/g, "$1 $2 nnnnnnnn");
    await expect(stable).toMatchFileSnapshot(`golden/results_${role}.md`);
  });
});

test("every tool has a case", () => {
  const covered = new Set(Object.values(CASES).flatMap((cases) => cases.map(({ tool }) => tool)));
  for (const tool of Object.values(TOOLS).flat()) expect(covered).toContain(tool.name);
});
