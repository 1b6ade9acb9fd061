import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { applyFrames, fromSnapshot } from "../src/town/data";
import { discardMessage, pendingMessages, resendMessage, sendMessage } from "../src/town/outbox";
import { createTownStore, type TownStore } from "../src/town/store";
import { frame, message, snapshot } from "./make";

interface Call {
  key: string | null;
  body: unknown;
  answer(status: number, body: unknown): void;
  fail(): void;
}

let calls: Call[];
let store: TownStore;

beforeEach(() => {
  calls = [];
  store = createTownStore();
  store.setState({ data: fromSnapshot(snapshot()) });
  vi.stubGlobal(
    "fetch",
    (_path: string, init: RequestInit) =>
      new Promise<Response>((resolve, reject) => {
        calls.push({
          key: new Headers(init.headers).get("Idempotency-Key"),
          body: JSON.parse(String(init.body)),
          answer: (status, body) => resolve(new Response(JSON.stringify(body), { status })),
          fail: () => reject(new TypeError("network")),
        });
      }),
  );
});

afterEach(() => vi.unstubAllGlobals());

const pending = () => pendingMessages(store.getState()).map((each) => `${each.text}: ${each.state}`);
const accepted = (messageId: string) => ({ success: true, data: { messageId } });

function hear(seq: number, id: string, text: string) {
  const heard = message(id, { role: "user", parts: [{ type: "text", text }] });
  store.setState(({ data }) => ({
    data: data === null ? null : applyFrames(data, [frame(seq, "mayor.message", heard)]),
  }));
}

describe("a message to the mayor", () => {
  test("is shown at once, then as sent, then only as the server's row", async () => {
    const sent = sendMessage("town", store, "hello");
    expect(pending()).toEqual(["hello: sending"]);
    expect(calls[0]?.body).toEqual({ message: "hello" });
    calls[0]?.answer(200, accepted("m1"));
    await sent;
    expect(pending()).toEqual(["hello: sent"]);
    hear(11, "m1", "hello");
    expect(pending()).toEqual([]);
  });

  test("is not doubled when its frame is faster than the reply", async () => {
    const sent = sendMessage("town", store, "hello");
    hear(11, "m1", "hello");
    expect(pending()).toEqual([]);
    calls[0]?.answer(200, accepted("m1"));
    await sent;
    expect(pending()).toEqual([]);
  });

  test("is not taken for an older message with the same words", async () => {
    hear(11, "m0", "again");
    void sendMessage("town", store, "again");
    expect(pending()).toEqual(["again: sending"]);
  });

  test("that is sent twice stays pending until both are heard", async () => {
    void sendMessage("town", store, "go");
    void sendMessage("town", store, "go");
    hear(11, "m1", "go");
    expect(pending()).toEqual(["go: sending"]);
    hear(12, "m2", "go");
    expect(pending()).toEqual([]);
  });

  test("keeps its key when it is sent again after a failure", async () => {
    const first = sendMessage("town", store, "hello");
    calls[0]?.fail();
    await first;
    expect(store.getState().outbox[0]).toMatchObject({ state: "failed", error: { code: "unreachable" } });

    const [failed] = pendingMessages(store.getState());
    if (failed === undefined) throw new Error("the failed message is gone");
    const second = resendMessage("town", store, failed);
    calls[1]?.answer(200, accepted("m1"));
    await second;
    expect(calls[1]?.key).toBe(calls[0]?.key);
    expect(pending()).toEqual(["hello: sent"]);
  });

  test("shows why it was refused, and can be discarded", async () => {
    const sent = sendMessage("town", store, "hello");
    calls[0]?.answer(503, { success: false, error: "Restarting", code: "draining", request_id: "r1" });
    await sent;
    const [failed] = pendingMessages(store.getState());
    expect(failed?.error).toMatchObject({ code: "draining", requestId: "r1", message: "Restarting" });
    discardMessage(store, failed?.key ?? "");
    expect(pending()).toEqual([]);
  });
});
