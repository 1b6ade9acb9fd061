// @vitest-environment node
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readStream, type StreamEnd, type StreamEvent } from "../src/api/sse";

/** A real HTTP server, because what is tested is how bytes on a connection become events. */
let server: Server;
let url: string;
let respond: (response: ServerResponse) => void;
let headers: Record<string, string | string[] | undefined>;

beforeEach(async () => {
  server = createServer((request, response) => {
    headers = request.headers;
    respond(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stream`;
});

afterEach(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});

async function read(options: { lastEventId?: string; silenceMaxMs?: number; signal?: AbortSignal } = {}) {
  const batches: StreamEvent[][] = [];
  const end: StreamEnd = await readStream({
    url,
    lastEventId: options.lastEventId ?? null,
    signal: options.signal ?? new AbortController().signal,
    onEvents: (events) => batches.push(events),
    ...(options.silenceMaxMs === undefined ? {} : { silenceMaxMs: options.silenceMaxMs }),
  });
  return { batches, events: batches.flat(), end };
}

describe("readStream", () => {
  test("reads events with id, name and JSON, and skips comments and broken data", async () => {
    respond = (response) => {
      response.end(
        'retry: 2000\n\n: hb\n\nid: 7\nevent: bead.updated\ndata: {"seq":7}\n\ndata: not json\n\nevent: hello\ndata: {"seq":1}\n\n',
      );
    };
    const { events, end } = await read();
    expect(events).toEqual([
      { id: "7", event: "bead.updated", data: { seq: 7 } },
      { id: null, event: "hello", data: { seq: 1 } },
    ]);
    expect(end).toEqual({ kind: "closed" });
  });

  test("puts events together that were cut anywhere, also inside a character", async () => {
    const bytes = new TextEncoder().encode(
      'id: 1\nevent: a\ndata: {"text":"Grüße 🚂"}\n\nid: 2\ndata: {}\n\n',
    );
    for (let cut = 1; cut < bytes.length; cut += 1) {
      respond = (response) => {
        response.write(bytes.slice(0, cut));
        setImmediate(() => response.end(bytes.slice(cut)));
      };
      const { events } = await read();
      expect(events, `cut at ${cut}`).toEqual([
        { id: "1", event: "a", data: { text: "Grüße 🚂" } },
        { id: "2", event: "message", data: {} },
      ]);
    }
  });

  test("hands over together what arrived together", async () => {
    respond = (response) => response.end("id: 1\ndata: {}\n\nid: 2\ndata: {}\n\nid: 3\ndata: {}\n\n");
    expect((await read()).batches).toHaveLength(1);
  });

  test("sends the resume point only when there is one", async () => {
    respond = (response) => response.end();
    await read();
    expect(headers["last-event-id"]).toBeUndefined();
    await read({ lastEventId: "41" });
    expect(headers["last-event-id"]).toBe("41");
  });

  test("tells a refusal with its code and request id", async () => {
    respond = (response) => {
      response.statusCode = 403;
      response.end(JSON.stringify({ success: false, error: "No", code: "forbidden", request_id: "r1" }));
    };
    expect((await read()).end).toMatchObject({
      kind: "refused",
      error: { status: 403, code: "forbidden", requestId: "r1" },
    });
  });

  test("tells silence from an end: a stream without heartbeats is dead", async () => {
    respond = (response) => response.write("id: 1\ndata: {}\n\n");
    const { events, end } = await read({ silenceMaxMs: 60 });
    expect(events).toHaveLength(1);
    expect(end).toEqual({ kind: "silent" });
  });

  test("heartbeats keep a stream alive", async () => {
    respond = (response) => {
      let beats = 0;
      const timer = setInterval(() => {
        beats += 1;
        response.write(": hb\n\n");
        if (beats === 8) {
          clearInterval(timer);
          response.end();
        }
      }, 40);
    };
    expect((await read({ silenceMaxMs: 200 })).end).toEqual({ kind: "closed" });
  });

  test("tells a connection that broke, a server that is not there, and an abort", async () => {
    respond = (response) => {
      response.write("id: 1\ndata: {}\n\n", () => response.destroy());
    };
    expect((await read()).end).toEqual({ kind: "closed" });

    const abort = new AbortController();
    respond = (response) => {
      response.write(": hb\n\n", () => abort.abort());
    };
    expect((await read({ signal: abort.signal })).end).toEqual({ kind: "aborted" });

    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect((await read()).end).toEqual({ kind: "unreachable" });
  });
});
