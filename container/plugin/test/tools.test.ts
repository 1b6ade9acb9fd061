/** Which role has what, how a tool describes itself, and how arguments are checked. */

import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { ROLES, type Role } from "../src/session.ts";
import { FakeBroker, ok } from "./broker.ts";
import { plugin, RIG, run } from "./plugin.ts";

test("each role has exactly its tools", async () => {
  // The same file holds the prompts to it (core/tests/prompts).
  const golden = JSON.parse(readFileSync(new URL("../../../tests/wire/tools.json", import.meta.url), "utf8")) as unknown;
  const names = ROLES.map((role) => [role, Object.keys(plugin(role, "http://127.0.0.1:9").tool ?? {})]);
  expect(Object.fromEntries(names)).toEqual(golden);
});

test("a description names every argument and whether it may be left out", async () => {
  const text = (role: Role) =>
    Object.entries(plugin(role, "http://127.0.0.1:9").tool ?? {}).map(([name, { description }]) => `## ${name}\n${description}\n`);
  const all = ROLES.map((role) => `# ${role}\n\n${text(role).join("\n")}`);
  await expect(all.join("\n")).toMatchFileSnapshot("golden/descriptions.md");
});

test("wrong arguments are named, and no call is made", async () => {
  await using broker = await FakeBroker.start(() => ok({}));
  const mayor = plugin("mayor", broker.url);
  const polecat = plugin("polecat", broker.url);
  expect(await run(mayor, "gt_sling", { rig_id: RIG, priority: "urgent" })).toBe(
    'gt_sling was not called: title: Invalid input: expected string, received undefined; priority: Invalid option: expected one of "low"|"medium"|"high"|"critical"',
  );
  expect(await run(polecat, "gt_checkpoint", { data: "{done" })).toMatch(/^gt_checkpoint was not called: data: this is not JSON: /);
  expect(await run(polecat, "gt_status", { message: "x".repeat(281) })).toMatch(/^gt_status was not called: message: Too big/);
  expect(await run(polecat, "gt_status", undefined)).toMatch(/^gt_status was not called: message: /);
  expect(broker.calls).toEqual([]);
});

test("only the main session may call", async () => {
  await using broker = await FakeBroker.start(() => ok({ done: true }));
  const hooks = plugin("polecat", broker.url);
  expect(await run(hooks, "gt_done", {}, { sessionID: "ses_child" })).toBe(
    "Only the main session reports results. Return what you found to the session that asked you.",
  );
  expect(broker.calls).toEqual([]);
});

test("a main session that is not known yet is asked for again", async () => {
  await using broker = await FakeBroker.start(() => ok({ ok: true }));
  broker.local.root_session_id = null;
  const hooks = plugin("polecat", broker.url);
  expect(await run(hooks, "gt_status", { message: "m" })).toMatch(/^Only the main session/);
  broker.local.root_session_id = "ses_root";
  expect(await run(hooks, "gt_status", { message: "m" })).toBe("Status updated.");
});

test("a call carries the capability and a key made of assignment and call", async () => {
  await using broker = await FakeBroker.start(() => ok({ ok: true }));
  const hooks = plugin("polecat", broker.url);
  await run(hooks, "gt_status", { message: "m" }, { callID: "call_7ü" } as never);
  expect(broker.calls[0]?.headers).toMatchObject({ authorization: "Bearer gtc_test", "idempotency-key": "40000000-call_7_" });
});

test("mail is acknowledged after it was returned, once, and not when there is none", async () => {
  const mails = [{ id: "m1", from_agent_id: null, subject: "s", body: "b", created_at: "t" }];
  await using broker = await FakeBroker.start(({ path }) => ok(path.endsWith("/ack") ? { delivered: 1 } : mails.splice(0)));
  const hooks = plugin("polecat", broker.url);
  await run(hooks, "gt_mail_check", {});
  expect(broker.calls.map(({ method }) => method)).toEqual(["GET"]);
  const ack = await broker.called(({ path }) => path.endsWith("/mail/ack"));
  expect(ack.body).toEqual({ mail_ids: ["m1"] });
  expect(await run(hooks, "gt_mail_check", {})).toBe("No pending mail.");
  await run(hooks, "gt_status", { message: "m" });
  expect(broker.calls.filter(({ path }) => path.endsWith("/ack"))).toHaveLength(1);
});
