/** The block in the system texts: where it stands, that it stays the same, and that nothing in it breaks a request. */

import type { Hooks } from "@kilocode/plugin";
import { expect, test } from "vitest";

import { FakeBroker, ok, refused } from "./broker.ts";
import { plugin } from "./plugin.ts";

const MAIN = "you are an agent\n# Gas Town role: polecat\n…";

/** The system texts of a model request. */
async function system(hooks: Hooks, sessionID: string | undefined, header = MAIN): Promise<string[]> {
  const output = { system: [header] };
  await hooks["experimental.chat.system.transform"]?.({ sessionID, model: {} as never } as never, output);
  return output.system;
}

const context = (title: string) => ({ hooked_bead: { title }, undelivered_mail: [{ id: "m", body: "secret" }] });

test("the same bytes in every request of the main session, fetched once, without mail", async () => {
  let fetched = 0;
  await using broker = await FakeBroker.start(() => ok(context(`task ${(fetched += 1)}`)));
  const hooks = plugin("polecat", broker.url);
  const first = await system(hooks, "ses_root");
  expect(first).toHaveLength(2);
  expect(first[1]).toMatch(/^<<<BEGIN prime [0-9a-f]{8}\n\{[^]*"title": "task 1"[^]*\}\nEND prime [0-9a-f]{8}>>>$/);
  expect(first[1]).not.toContain("secret");
  for (let n = 0; n < 9; n += 1) expect(await system(hooks, "ses_root")).toEqual(first);
  expect(broker.calls.map(({ method, path }) => `${method} ${path.split("/").at(-1)}`)).toEqual(["GET prime?peek=true"]);
});

test("not in titles, sub-agents and requests without a session", async () => {
  await using broker = await FakeBroker.start(() => ok(context("t")));
  const hooks = plugin("polecat", broker.url);
  expect(await system(hooks, "ses_root", "You make titles.")).toHaveLength(1);
  expect(await system(hooks, "ses_child")).toHaveLength(1);
  expect(await system(hooks, undefined)).toHaveLength(1);
  expect(broker.calls).toEqual([]);
});

test("a compaction gets it fresh, and later requests the same", async () => {
  let fetched = 0;
  await using broker = await FakeBroker.start(() => ok(context(`task ${(fetched += 1)}`)));
  const hooks = plugin("polecat", broker.url);
  await system(hooks, "ses_root");
  const output = { context: [] as string[] };
  await hooks["experimental.session.compacting"]?.({ sessionID: "ses_root" }, output);
  expect(output.context).toHaveLength(1);
  expect(output.context[0]).toContain("task 2");
  expect((await system(hooks, "ses_root"))[1]).toBe(output.context[0]);
});

test("a failing prime leaves the request alone and is not tried for ever", async () => {
  await using broker = await FakeBroker.start(() => refused(503, "runtime_unavailable", "later"));
  const hooks = plugin("polecat", broker.url);
  for (let n = 0; n < 5; n += 1) expect(await system(hooks, "ses_root")).toHaveLength(1);
  expect(broker.calls).toHaveLength(3);
});

test("the mayor has no block", () => {
  const hooks = plugin("mayor", "http://127.0.0.1:9");
  expect(hooks["experimental.chat.system.transform"]).toBeUndefined();
  expect(hooks["experimental.session.compacting"]).toBeUndefined();
});

test("model requests name their session", async () => {
  const output = { headers: {} as Record<string, string> };
  await plugin("mayor", "http://127.0.0.1:9")["chat.headers"]?.({ sessionID: "ses_1" } as never, output);
  expect(output.headers).toEqual({ "x-gastown-session": "ses_1" });
});
