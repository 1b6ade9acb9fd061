/** A broker that answers what a test tells it and keeps what it was asked. */

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface Call {
  method: string;
  path: string;
  body: unknown;
  headers: Record<string, string | undefined>;
}

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** Sent as it is; `ok()` and `refused()` make the envelope. */
  body: unknown;
}

export const ok = (data: unknown, more: Record<string, unknown> = {}): Answer => ({
  body: { success: true, data, ...more },
});

export const refused = (status: number, code: string, error: string, more: Partial<Answer> & { details?: unknown; issues?: unknown } = {}): Answer => {
  const { details, issues, ...answer } = more;
  return { status, ...answer, body: { success: false, error, code, request_id: "r", details, issues } };
};

export type Script = (call: Call) => Answer | undefined;

export class FakeBroker implements AsyncDisposable {
  readonly calls: Call[] = [];
  local = { role: "polecat", kind: "work", root_session_id: "ses_root" as string | null };
  private readonly waiting: { test: (call: Call) => boolean; done: (call: Call) => void }[] = [];

  private constructor(
    readonly url: string,
    private readonly close: () => Promise<void>,
  ) {}

  static async start(script: Script): Promise<FakeBroker> {
    const server = createServer((request, response) => {
      void (async () => {
        const call: Call = {
          method: request.method ?? "",
          path: request.url ?? "",
          body: parsed(await textOf(request)),
          headers: request.headers as Record<string, string | undefined>,
        };
        const answer = call.path === "/local/session" ? { body: broker.local } : (broker.keep(call), script(call));
        const { status = 200, headers = {}, body } = answer ?? refused(404, "not_found", "Not found");
        response.writeHead(status, { "content-type": "application/json", ...headers });
        response.end(typeof body === "string" ? body : JSON.stringify(body));
      })();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const close = async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    };
    const broker = new FakeBroker(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, close);
    return broker;
  }

  /** The first call that fits, past or future. */
  async called(test: (call: Call) => boolean): Promise<Call> {
    const past = this.calls.find(test);
    return past ?? new Promise((done) => this.waiting.push({ test, done }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private keep(call: Call): void {
    this.calls.push(call);
    for (const { test, done } of this.waiting) if (test(call)) done(call);
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  return text === "" ? undefined : JSON.parse(text);
}
