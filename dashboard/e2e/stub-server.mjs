/**
 * A stand-in for the Worker, for looking at the dashboard without one: serves `dist` with the headers
 * that it asks for (`_headers`), and answers the calls of the first pages with a canned town. It keeps a numbered feed, so that resuming a stream
 * works as in api.md 6.1. It decides nothing; what it answers is what `fixtures.mjs` says.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
const COOKIE = "gastown_session=stub";

/** Starts on a free port. `town` is a value of `fixtures.mjs`. */
export async function startStub(town) {
  const stub = new Stub(town);
  const server = createServer((request, response) => {
    stub.answer(request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  stub.url = `http://127.0.0.1:${server.address().port}`;
  stub.close = () => {
    stub.dropStreams();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return stub;
}

class Stub {
  streams = new Set();
  frames = [];
  usedTokens = new Set();
  /** Makes the next messages to the mayor fail with this status. */
  messageFailure = null;
  /** Makes streams impossible, as while a server restarts. */
  refuseStreams = false;
  /** Answers the next stream with `reset`, as if its resume point were too old. */
  forgetFrames = false;
  /** The session has ended on the server; the browser does not know. */
  sessionEnded = false;
  /** The requests that came, as "METHOD path". */
  requests = [];
  /** The idempotency keys of the messages that came. */
  keys = new Set();

  constructor(town) {
    this.town = town;
    this.seq = town.snapshot.seq;
  }

  /** Adds a frame to the feed and sends it to every open stream. */
  push(type, data, rigId = null) {
    this.seq += 1;
    const at = new Date().toISOString();
    const frame = { seq: this.seq, at, type, rig_id: rigId, actor: null, cause_seq: null, data };
    this.frames.push(frame);
    for (const stream of this.streams) sendFrame(stream, frame);
  }

  count(request) {
    return this.requests.filter((each) => each === request).length;
  }

  dropStreams() {
    for (const stream of this.streams) stream.destroy();
    this.streams.clear();
  }

  async answer(request, response) {
    const url = new URL(request.url, "http://stub");
    this.requests.push(`${request.method} ${url.pathname}`);
    if (!url.pathname.startsWith("/api/")) return this.asset(url, response);
    if (url.pathname === "/api/session" && request.method === "POST") return this.signIn(request, response);
    if (this.sessionEnded || !(request.headers.cookie ?? "").includes(COOKIE)) {
      return refuse(response, 401, "unauthenticated", "Sign in first");
    }
    const townPath = `/api/towns/${this.town.snapshot.town.id}`;
    switch (`${request.method} ${url.pathname}`) {
      case "GET /api/session":
        return reply(response, 200, this.town.session);
      case "DELETE /api/session":
        response.setHeader("Set-Cookie", "gastown_session=; Max-Age=0; Path=/");
        return reply(response, 200, { signed_out: true });
      case "GET /api/towns":
        return reply(response, 200, this.town.towns);
      case `GET ${townPath}/snapshot`:
        return reply(response, 200, this.town.snapshot);
      case `GET ${townPath}/mayor/messages`:
        return reply(response, 200, this.town.messages);
      case `POST ${townPath}/mayor/message`:
        return this.mayorMessage(request, response);
      case `GET ${townPath}/events/stream`:
        return this.stream(url, request, response);
      default:
        return refuse(response, 404, "not_found", "Not found");
    }
  }

  asset(url, response) {
    let path = url.pathname;
    let bytes;
    try {
      bytes = readFileSync(DIST + path.slice(1));
    } catch {
      path = "/index.html";
      bytes = readFileSync(`${DIST}index.html`);
    }
    response.writeHead(200, {
      ...pageHeaders(),
      "Content-Type": TYPES[extname(path)] ?? "application/octet-stream",
    });
    response.end(bytes);
  }

  async signIn(request, response) {
    const { token } = await bodyOf(request);
    if (!token.startsWith("good") || this.usedTokens.has(token)) {
      return refuse(response, 401, "token_invalid", "The token is not valid");
    }
    this.usedTokens.add(token);
    this.sessionEnded = false;
    response.setHeader("Set-Cookie", `${COOKIE}; HttpOnly; SameSite=Strict; Path=/`);
    return reply(response, 201, this.town.session);
  }

  async mayorMessage(request, response) {
    const { message } = await bodyOf(request);
    this.keys.add(request.headers["idempotency-key"]);
    if (this.messageFailure !== null) {
      return refuse(response, this.messageFailure, "runtime_unavailable", "The town is being restarted");
    }
    const id = randomUUID();
    this.push("mayor.message", {
      id,
      at: new Date().toISOString(),
      role: "user",
      author: null,
      parts: [{ type: "text", text: message }],
      state: "delivered",
    });
    return reply(response, 200, { agentId: "mayor", sessionStatus: "active", messageId: id });
  }

  stream(url, request, response) {
    if (this.refuseStreams) return response.destroy();
    const after = Number(request.headers["last-event-id"] ?? url.searchParams.get("after"));
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write("retry: 2000\n\n");
    const hello = { seq: this.seq, oldest_seq: 1, server_time: new Date().toISOString() };
    response.write(`event: hello\ndata: ${JSON.stringify(hello)}\n\n`);
    if (this.forgetFrames) {
      this.forgetFrames = false;
      response.write(`event: reset\ndata: ${JSON.stringify({ reason: "gone", seq: this.seq })}\n\n`);
    }
    for (const frame of this.frames) if (frame.seq > after) sendFrame(response, frame);
    this.streams.add(response);
    response.on("close", () => this.streams.delete(response));
  }
}

/** The headers that the build asks the asset server to add to every file. */
function pageHeaders() {
  const block = readFileSync(`${DIST}_headers`, "utf8").match(/^\/\*\n((?: {2}.+\n)+)/m);
  const lines = block[1].trim().split("\n");
  return Object.fromEntries(lines.map((line) => line.trim().split(/:\s(.*)/s, 2)));
}

function sendFrame(response, frame) {
  response.write(`id: ${frame.seq}\nevent: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`);
}

function reply(response, status, data) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ success: true, data }));
}

function refuse(response, status, code, error) {
  const requestId = randomUUID();
  response.writeHead(status, { "Content-Type": "application/json", "X-Request-Id": requestId });
  response.end(JSON.stringify({ success: false, error, code, request_id: requestId }));
}

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return JSON.parse(text);
}
