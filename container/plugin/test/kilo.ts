/** A real `kilo serve` with the built plugin, against a model that a test scripts. Ended by its own process group. */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createSocket, type AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PACKAGE = "node_modules/@kilocode/cli-linux-x64/bin/kilo";
const PLUGIN = join(HERE, "../dist/gastown.js");

/** The pinned kilo, where the set-up or a person put it. */
export const KILO = [
  process.env["GASTOWN_KILO_BIN"] ?? "",
  join(HERE, "../../..", PACKAGE),
  join(homedir(), ".cache/gastown/kilo-7.0.33", PACKAGE),
].find((path) => path !== "" && existsSync(path));

export interface ModelRequest {
  model: string;
  messages: { role: string; content: unknown; tool_call_id?: string }[];
  tools: string[];
  /** JSON schemas of the tools' arguments, as kilo made them. */
  parameters: Record<string, unknown>;
  headers: Record<string, unknown>;
}

export type Step = { text: string } | { tool: string; args: unknown };

export const systemOf = (request: ModelRequest): string =>
  request.messages.filter(({ role }) => role === "system").map(textOf).join("\n");
export const lastOf = (request: ModelRequest): string => textOf(request.messages.at(-1));
export const textOf = (message: { content: unknown } | undefined): string =>
  typeof message?.content === "string"
    ? message.content
    : ((message?.content ?? []) as { text?: string }[]).map(({ text }) => text ?? "").join("\n");

/** An OpenAI-compatible server that answers each request with one scripted step. */
export class FakeModel implements AsyncDisposable {
  readonly requests: ModelRequest[] = [];
  private readonly waiting: { test: (request: ModelRequest) => boolean; done: (request: ModelRequest) => void }[] = [];
  url = "";
  private close = async (): Promise<void> => undefined;

  static async start(script: (request: ModelRequest) => Step): Promise<FakeModel> {
    const model = new FakeModel();
    const server = createServer((incoming, response) => {
      void (async () => {
        let text = "";
        for await (const chunk of incoming) text += String(chunk);
        const body = JSON.parse(text || "{}") as { model: string; messages: ModelRequest["messages"]; tools?: { function: { name: string; parameters: unknown } }[] };
        const { messages, tools = [] } = body;
        const parameters = Object.fromEntries(tools.map((tool) => [tool.function.name, tool.function.parameters]));
        const request = { model: body.model, messages, tools: Object.keys(parameters), parameters, headers: incoming.headers };
        model.keep(request);
        response.writeHead(200, { "content-type": "text/event-stream" });
        for (const chunk of chunks(script(request), model.requests.length)) response.write(`data: ${JSON.stringify(chunk)}\n\n`);
        response.end("data: [DONE]\n\n");
      })();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    model.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    model.close = async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    };
    return model;
  }

  /** The first request that fits, past or future. */
  async asked(test: (request: ModelRequest) => boolean): Promise<ModelRequest> {
    return this.requests.find(test) ?? new Promise((done) => this.waiting.push({ test, done }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private keep(request: ModelRequest): void {
    this.requests.push(request);
    for (const { test, done } of this.waiting) if (test(request)) done(request);
  }
}

function chunks(step: Step, n: number): unknown[] {
  const chunk = (delta: unknown, finish_reason: string | null, more = {}) => ({
    id: `c${n}`,
    object: "chat.completion.chunk",
    created: 0,
    model: "m",
    choices: [{ index: 0, delta, finish_reason }],
    ...more,
  });
  const usage = { usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 } };
  if ("text" in step) return [chunk({ role: "assistant", content: step.text }, null), chunk({}, "stop", usage)];
  const call = { index: 0, id: `call_${n}`, type: "function", function: { name: step.tool, arguments: JSON.stringify(step.args) } };
  return [chunk({ role: "assistant", tool_calls: [call] }, null), chunk({}, "tool_calls", usage)];
}

const PASSWORD = "test";

export class Kilo implements AsyncDisposable {
  private constructor(
    private readonly child: ChildProcess,
    private readonly root: string,
    private readonly url: string,
    private readonly work: string,
  ) {}

  static async start(modelUrl: string, role: string, gastown: Record<string, string>): Promise<Kilo> {
    if (!KILO) throw new Error("the kilo binary is missing");
    const root = await mkdtemp(join(tmpdir(), "gastown-plugin-"));
    const at = (name: string) => join(root, name);
    for (const name of ["home", "config/kilo/node_modules", "data", "cache", "state", "tmp", "work"]) {
      await mkdir(at(name), { recursive: true });
    }
    await writeFile(at("config/kilo/package.json"), '{"dependencies":{"@kilocode/plugin":"7.0.33"}}');
    await writeFile(at("role.md"), `# Gas Town role: ${role}\n\nDo what the test says.\n`);
    const port = await freePort();
    const child = spawn(KILO, ["serve", "--hostname", "127.0.0.1", "--port", String(port)], {
      cwd: at("work"),
      detached: true,
      env: { ...environment(at), KILO_CONFIG_CONTENT: config(modelUrl, at("role.md")), ...gastown },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const kilo = new Kilo(child, root, `http://127.0.0.1:${port}`, at("work"));
    await kilo.listening();
    return kilo;
  }

  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.request(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  async session(title?: string): Promise<string> {
    return (await this.call<{ id: string }>("POST", "/session", title === undefined ? {} : { title })).id;
  }

  prompt(session: string, text: string): Promise<void> {
    return this.call("POST", `/session/${session}/prompt_async`, { parts: [{ type: "text", text }] });
  }

  /**
   * Until the session's turn is over. A prompt that reaches kilo while it ends a turn may be kept and never answered, so
   * tests that prompt a session again wait for this first.
   */
  async idle(session: string): Promise<void> {
    const leave = new AbortController();
    const events = await this.request("GET", "/event", undefined, leave.signal);
    const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
    let heard = "";
    // The first event comes before the status is asked: what ends in between is heard.
    while (reader !== undefined && !heard.includes("\n\n")) heard += (await reader.read()).value ?? "";
    const isBusy = async () => {
      const states = await this.call<Record<string, { type: string }>>("GET", "/session/status");
      return (states[session]?.type ?? "idle") !== "idle";
    };
    while (await isBusy()) {
      const { done } = (await reader?.read()) ?? { done: true };
      if (done) throw new Error("kilo closed its events");
    }
    leave.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.pid) {
      const ended = new Promise((done) => this.child.once("exit", done));
      process.kill(-this.child.pid, "SIGKILL");
      await ended;
    }
    await rm(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  private request(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    return fetch(`${this.url}${path}${path.includes("?") ? "&" : "?"}directory=${encodeURIComponent(this.work)}`, {
      method,
      headers: { authorization: `Basic ${btoa(`kilo:${PASSWORD}`)}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
    });
  }

  private listening(): Promise<void> {
    return new Promise((done, fail) => {
      let said = "";
      const hear = (data: Buffer) => {
        said += data.toString();
        if (said.includes("kilo server listening")) done();
      };
      this.child.stdout?.on("data", hear);
      this.child.stderr?.on("data", hear);
      this.child.once("exit", (code) => fail(new Error(`kilo ended with ${code}: ${said.slice(-2000)}`)));
    });
  }
}

/** The environment of container.md 4.4, without the town's part. */
function environment(at: (name: string) => string): Record<string, string> {
  const off = ["MODELS_FETCH", "AUTOUPDATE", "DEFAULT_PLUGINS", "LSP_DOWNLOAD", "SHARE", "SESSION_INGEST", "PRESENCE", "CLAUDE_CODE", "FILETIME_CHECK"];
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    LANG: "C.UTF-8",
    HOME: at("home"),
    KILO_TEST_HOME: at("home"),
    TMPDIR: at("tmp"),
    XDG_CONFIG_HOME: at("config"),
    XDG_DATA_HOME: at("data"),
    XDG_CACHE_HOME: at("cache"),
    XDG_STATE_HOME: at("state"),
    KILO_SERVER_PASSWORD: PASSWORD,
    KILO_CLIENT: "gastown",
    KILO_DISABLE_PROJECT_CONFIG: "1",
    ...Object.fromEntries(off.map((name) => [`KILO_DISABLE_${name}`, "1"])),
    KILO_TELEMETRY_LEVEL: "off",
    KILO_API_URL: "http://127.0.0.1:9",
    KILO_SESSION_RETRY_LIMIT: "3",
  };
}

/** KILO_CONFIG_CONTENT, cut to what the plugin can notice. */
function config(modelUrl: string, role: string): string {
  const model = (name: string) => ({ name, tool_call: true, limit: { context: 200_000, output: 32_000 } });
  const options = { baseURL: `${modelUrl}/llm/v1`, apiKey: "gtc_test", includeUsage: true, timeout: false };
  return JSON.stringify({
    provider: { gastown: { npm: "@ai-sdk/openai-compatible", name: "Gas Town", options, models: { "m/main": model("m/main"), "m/small": model("m/small") } } },
    enabled_providers: ["gastown"],
    model: "gastown/m/main",
    small_model: "gastown/m/small",
    agent: {
      code: { model: "gastown/m/main" },
      general: { model: "gastown/m/main", permission: { "gt_*": "deny" } },
      title: { model: "gastown/m/small" },
    },
    permission: { "*": "allow", question: "deny", doom_loop: "allow" },
    instructions: [role],
    plugin: [`file://${PLUGIN}`],
    share: "disabled",
    autoupdate: false,
    snapshot: false,
    lsp: false,
    formatter: false,
  });
}

async function freePort(): Promise<number> {
  const socket = createSocket();
  await new Promise<void>((done) => socket.listen(0, "127.0.0.1", done));
  const { port } = socket.address() as AddressInfo;
  await new Promise((done) => socket.close(done));
  return port;
}
