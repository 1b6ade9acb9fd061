/** The built plugin inside the real kilo: what it registers, what reaches the broker, what reaches the model. */

import { describe, expect, test } from "vitest";

import { TOOLS } from "../src/tools.ts";
import { FakeBroker, ok, refused } from "./broker.ts";
import { FakeModel, KILO, Kilo, lastOf, systemOf, textOf, type ModelRequest } from "./kilo.ts";
import { BEAD, BRANCH, environment, RIG } from "./plugin.ts";

/** kilo 7.7 needs 15 s for one of these on a busy machine, 7.0 two. */
const LIMIT_MS = 120_000;
const name = KILO ? "inside kilo" : "inside kilo (skipped: no kilo binary; install it or set GASTOWN_KILO_BIN)";

const isMain = (request: ModelRequest) => systemOf(request).includes("# Gas Town role:");
const saysTool = (text: string) => (request: ModelRequest) => request.messages.at(-1)?.role === "tool" && lastOf(request).includes(text);

describe.skipIf(!KILO)(name, () => {
  test("the mayor slings: arguments, key and answer arrive as they are", { timeout: LIMIT_MS }, async () => {
    await using broker = await FakeBroker.start(({ path }) => {
      if (!path.endsWith("/sling")) return undefined;
      return ok({ bead: { bead_id: BEAD, title: "Add a total", rig_name: "shop" }, agent: { name: "Toast" }, model: "m/main", wait: null });
    });
    await using model = await FakeModel.start((request) =>
      request.messages.at(-1)?.role === "tool"
        ? { text: "Toast is working on it." }
        : { tool: "gt_sling", args: { rig_id: RIG, title: "Add a total", priority: "high" } },
    );
    await using kilo = await Kilo.start(model.url, "mayor", environment("mayor", broker.url));

    const offered = await kilo.call<string[]>("GET", "/experimental/tool/ids");
    expect(offered.filter((id) => id.startsWith("gt_")).sort()).toEqual(TOOLS.mayor.map((tool) => tool.name).sort());

    broker.local = { role: "mayor", kind: "mayor", root_session_id: await kilo.session("Mayor") };
    await kilo.prompt(broker.local.root_session_id ?? "", "Please add a total.");
    const answered = await model.asked(saysTool(`Slung 'Add a total' to Toast in shop (bead ${BEAD}, m/main).`));

    const sling = await broker.called(({ path }) => path.endsWith("/sling"));
    expect(sling.body).toEqual({ rig_id: RIG, title: "Add a total", priority: "high" });
    expect(sling.headers["idempotency-key"]).toMatch(/^40000000-call_\d+$/);
    expect(answered.headers["x-gastown-session"]).toBe(broker.local.root_session_id);
    expect(systemOf(answered)).not.toContain("<<<BEGIN prime");
    // kilo reads the shapes with a zod of its own.
    expect(answered.parameters["gt_sling"]).toMatchObject({
      type: "object",
      required: ["rig_id", "title"],
      properties: { priority: { enum: ["low", "medium", "high", "critical"] }, labels: { items: { type: "string" } } },
    });
  });

  test("a refused call reads as the API said it, with advice", { timeout: LIMIT_MS }, async () => {
    await using broker = await FakeBroker.start(() => refused(409, "stale_assignment", "The assignment has ended."));
    await using model = await FakeModel.start((request) =>
      request.messages.at(-1)?.role === "tool" ? { text: "I stop." } : { tool: "gt_done", args: { branch: BRANCH } },
    );
    await using kilo = await Kilo.start(model.url, "polecat", environment("polecat", broker.url));
    broker.local.root_session_id = await kilo.session("Task");
    await kilo.prompt(broker.local.root_session_id, "Finish.");
    const told = await model.asked((request) => request.messages.at(-1)?.role === "tool");
    expect(lastOf(told)).toBe(
      "Gastown API error (409 stale_assignment): The assignment has ended. This assignment is over. Stop working; nothing was changed.",
    );
  });

  test("the prime block: main session only, same bytes, renewed by a compaction", { timeout: LIMIT_MS }, async () => {
    let fetched = 0;
    await using broker = await FakeBroker.start(({ path }) =>
      path.includes("/prime") ? ok({ revision: `r${(fetched += 1)}`, hooked_bead: { title: "Add a total" } }) : ok({ ok: true }),
    );
    let statuses = 0;
    await using model = await FakeModel.start((request) => {
      if (request.model === "m/small" || request.tools.length === 0) return { text: "A summary" };
      if (lastOf(request).startsWith("child:")) return { text: "looked" };
      if (lastOf(request).startsWith("delegate")) {
        return { tool: "task", args: { description: "look", prompt: "child: look around", subagent_type: "general" } };
      }
      if (statuses < 9) return { tool: "gt_status", args: { message: `step ${(statuses += 1)}` } };
      return { text: "done" };
    });
    await using kilo = await Kilo.start(model.url, "polecat", environment("polecat", broker.url));

    // Without a title of its own kilo asks the small model for one.
    const session = (broker.local.root_session_id = await kilo.session());
    await kilo.prompt(session, "work");
    await model.asked((request) => isMain(request) && statuses === 9 && request.messages.at(-1)?.role === "tool");
    const title = await model.asked((request) => request.model === "m/small");
    const main = model.requests.filter(isMain);
    expect(main).toHaveLength(10);
    const block = blockOf(main[0]);
    expect(block).toContain('"revision": "r1"');
    expect(new Set(main.map(systemOf)).size).toBe(1);
    expect(fetched).toBe(1);
    expect(blockOf(title)).toBeUndefined();

    await kilo.idle(session);
    await kilo.prompt(session, "delegate this");
    const child = await model.asked((request) => lastOf(request).startsWith("child:"));
    expect(systemOf(child)).toContain("# Gas Town role: polecat");
    expect(blockOf(child)).toBeUndefined();
    expect(child.tools.filter((tool) => tool.startsWith("gt_"))).toEqual([]);
    await model.asked((request) => isMain(request) && request.messages.at(-1)?.role === "tool" && lastOf(request).includes("looked"));

    await kilo.idle(session);
    await kilo.call("POST", `/session/${session}/summarize`, { providerID: "gastown", modelID: "m/main" });
    const compaction = await model.asked((request) => textOf(request.messages.at(-1)).includes('"revision": "r2"'));
    expect(blockOf(compaction)).toBeUndefined();
    await kilo.idle(session);
    await kilo.prompt(session, "go on");
    const after = await model.asked((request) => isMain(request) && lastOf(request).includes("go on"));
    expect(blockOf(after)).toContain('"revision": "r2"');
    expect(fetched).toBe(2);
  });

  test("with a variable missing there are no tools, and kilo serves on", { timeout: LIMIT_MS }, async () => {
    const { GASTOWN_ASSIGNMENT_ID: _, ...incomplete } = environment("polecat", "http://127.0.0.1:9");
    await using kilo = await Kilo.start("http://127.0.0.1:9", "polecat", incomplete);
    const offered = await kilo.call<string[]>("GET", "/experimental/tool/ids");
    expect(offered).toContain("bash");
    expect(offered.filter((id) => id.startsWith("gt_"))).toEqual([]);
  });
});

/** The prime block in the system texts. */
function blockOf(request: ModelRequest | undefined): string | undefined {
  return request && /<<<BEGIN prime [^]*END prime [0-9a-f]{8}>>>/.exec(systemOf(request))?.[0];
}
