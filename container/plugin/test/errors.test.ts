/** What a model reads when a call fails, with the advice of api.md 8.3. */

import { expect, test } from "vitest";

import type { Role } from "../src/session.ts";
import { FakeBroker, refused, type Answer } from "./broker.ts";
import { BEAD, plugin, RIG, run } from "./plugin.ts";

async function check(role: Role, tool: string, args: unknown, answer: Answer, text: string): Promise<void> {
  await using broker = await FakeBroker.start(() => answer);
  expect(await run(plugin(role, broker.url), tool, args)).toBe(text);
}

test("stale assignment", () =>
  check(
    "polecat",
    "gt_done",
    {},
    refused(409, "stale_assignment", "The assignment has ended."),
    "Gastown API error (409 stale_assignment): The assignment has ended. This assignment is over. Stop working; nothing was changed.",
  ));

test("what is missing before done is said by the broker alone", () =>
  check(
    "polecat",
    "gt_done",
    {},
    refused(409, "illegal_transition", "3 files are not committed: a, b, c; commit or discard them, then call gt_done again"),
    "Gastown API error (409 illegal_transition): 3 files are not committed: a, b, c; commit or discard them, then call gt_done again",
  ));

test("a verdict that comes too late", () =>
  check(
    "refinery",
    "gt_approve",
    {},
    refused(409, "illegal_transition", "The review has moved on", { details: { review_state: "merging" } }),
    "Gastown API error (409 illegal_transition): The review has moved on. It is merging now. Look at it with gt_bead_status before you go on.",
  ));

test("an invented id", () =>
  check(
    "polecat",
    "gt_bead_status",
    { bead_id: "../../x" },
    refused(404, "not_found", "No such bead."),
    "Gastown API error (404 not_found): No such bead. Use an id that a tool gave you; never invent one.",
  ));

test("a task slung twice", () =>
  check(
    "mayor",
    "gt_sling",
    { rig_id: RIG, title: "t" },
    refused(409, "probable_duplicate", "A bead with this title exists", { details: { bead_id: BEAD } }),
    `Gastown API error (409 probable_duplicate): A bead with this title exists. You already slung this as bead ${BEAD}. Pass allow_duplicate only if it is really wanted twice.`,
  ));

test("not this role's", () =>
  check(
    "mayor",
    "gt_status",
    { message: "m" },
    refused(403, "role_not_allowed", "Not for this role"),
    "Gastown API error (403 role_not_allowed): Not for this role. Your role may not do this.",
  ));

test("draining, with and without a time", async () => {
  const later = refused(503, "draining", "The town is draining", { headers: { "retry-after": "30" } });
  const text = "Gastown API error (503 draining): The town is draining. Try again in";
  await check("mayor", "gt_list_rigs", {}, later, `${text} 30 s.`);
  await check("mayor", "gt_list_rigs", {}, refused(503, "draining", "The town is draining"), `${text} 60 s.`);
});

test("issues name their fields", () =>
  check(
    "mayor",
    "gt_sling",
    { rig_id: "x", title: "t" },
    refused(400, "invalid_request", "The request is not valid", { issues: [{ code: "invalid_string", path: ["rig_id"], message: "is not an id" }] }),
    "Gastown API error (400 invalid_request): The request is not valid: rig_id is not an id",
  ));

test("an answer that is not JSON", () =>
  check(
    "mayor",
    "gt_list_rigs",
    {},
    { status: 502, body: "<h1>Bad gateway</h1>" },
    "Gastown API error (502 bad_answer): the answer is not an object in JSON: <h1>Bad gateway</h1>",
  ));

test("a success without an envelope is no success", () =>
  check("mayor", "gt_list_rigs", {}, { body: { data: [] } }, "Gastown API error (200 unknown): no reason given"));

test("a broker that is gone", async () => {
  const broker = await FakeBroker.start(() => undefined);
  const { url } = broker;
  await broker[Symbol.asyncDispose]();
  expect(await run(plugin("mayor", url), "gt_list_rigs", {})).toMatch(
    /^Gastown API error \(0 unreachable\): the broker could not be reached: .*ECONNREFUSED/,
  );
});

test("a call that is aborted", async () => {
  await using broker = await FakeBroker.start(() => undefined);
  const text = await run(plugin("mayor", broker.url), "gt_list_rigs", {}, { abort: AbortSignal.abort() });
  expect(text).toBe("Gastown API error (0 aborted): the call was aborted");
});

test("a plan that says nothing of its order", () =>
  check(
    "mayor",
    "gt_sling_batch",
    { convoy_title: "c", tasks: [{ title: "a" }, { title: "b" }] },
    refused(400, "plan_unclear", "The order of the tasks is not clear"),
    "Gastown API error (400 plan_unclear): The order of the tasks is not clear. Give depends_on to the tasks, or parallel: true if they are independent.",
  ));

test("no steps is no error", () =>
  check("polecat", "gt_mol_advance", { summary: "s" }, refused(404, "not_found", "No molecule"), "No molecule."));
