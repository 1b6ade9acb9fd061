/** Calls to the broker. One call, one answer: credentials, retries and permissions are the broker's. */

import type { LocalSession } from "./wire.ts";
import type { Session } from "./session.ts";

/** The broker answers within 60 s with all its retries (container.md 16); after this it is not there. */
const CALL_MS_MAX = 90_000;
/** What an error says when it is not JSON. */
const TEXT_CHARS_MAX = 300;

export interface Request {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
}

export const get = (path: string, query: Request["query"] = {}): Request => ({ method: "GET", path, query });
export const post = (path: string, body: unknown): Request => ({ method: "POST", path, body });
export const patch = (path: string, body: unknown): Request => ({ method: "PATCH", path, body });
export const remove = (path: string): Request => ({ method: "DELETE", path });

export interface Reply<T> {
  readonly data: T;
  /** What was accepted but deserves attention. */
  readonly warnings: readonly string[];
  /** Whether the list goes on. */
  readonly hasMore: boolean;
}

/** A refusal in the words of the API, or status 0 when nothing was answered. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly text: string,
    readonly details: Readonly<Record<string, unknown>> = {},
    readonly retryAfterSeconds?: number,
  ) {
    super(`Gastown API error (${status} ${code}): ${text}`);
    // kilo shows `toString()` to the model: without a name that is the message alone.
    this.name = "";
  }
}

export class Broker {
  constructor(private readonly session: Session) {}

  /** Sends the request; anything but a success is an `ApiError`. */
  async call<T>(request: Request, options: { callId?: string | undefined; signal?: AbortSignal } = {}): Promise<Reply<T>> {
    const response = await this.send(request, options);
    const envelope = await read(response);
    if (!response.ok || envelope["success"] !== true) throw refusal(response, envelope);
    return {
      data: envelope["data"] as T,
      warnings: warningsOf(envelope),
      hasMore: response.headers.has("x-next-cursor"),
    };
  }

  /** What the runtime knows of this session. */
  async localSession(signal?: AbortSignal): Promise<LocalSession> {
    const response = await this.send(get("/local/session"), signal ? { signal } : {});
    const body = await read(response);
    if (!response.ok) throw refusal(response, body);
    return ("data" in body ? body["data"] : body) as LocalSession;
  }

  private async send(request: Request, options: { callId?: string | undefined; signal?: AbortSignal }): Promise<Response> {
    const { apiUrl, capability, assignment8 } = this.session;
    const headers: Record<string, string> = { authorization: `Bearer ${capability}`, accept: "application/json" };
    if (request.body !== undefined) headers["content-type"] = "application/json";
    if (options.callId) headers["idempotency-key"] = `${assignment8}-${plain(options.callId)}`;
    const limit = AbortSignal.timeout(CALL_MS_MAX);
    try {
      return await fetch(apiUrl + request.path + queryOf(request), {
        method: request.method,
        headers,
        body: request.body === undefined ? null : JSON.stringify(request.body),
        signal: options.signal ? AbortSignal.any([options.signal, limit]) : limit,
        redirect: "error",
      });
    } catch (cause) {
      if (options.signal?.aborted) throw new ApiError(0, "aborted", "the call was aborted");
      if (limit.aborted) throw new ApiError(0, "timeout", `no answer within ${CALL_MS_MAX / 1000} s`);
      throw new ApiError(0, "unreachable", `the broker could not be reached: ${reasonOf(cause)}`);
    }
  }
}

/** A model's call id as a header takes it; keys have at most 128 printable ASCII characters (api.md 1.6). */
const plain = (callId: string): string => callId.replaceAll(/[^\x21-\x7e]/g, "_").slice(-100);

function queryOf({ query }: Request): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== "") search.set(name, String(value));
  }
  return search.size === 0 ? "" : `?${search}`;
}

async function read(response: Response): Promise<Record<string, unknown>> {
  const text = await response.text().catch(() => "");
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  } catch {
    // Told below, with what was answered.
  }
  const said = text.trim().slice(0, TEXT_CHARS_MAX) || response.statusText || "nothing";
  return { success: false, code: "bad_answer", error: `the answer is not an object in JSON: ${said}` };
}

function refusal(response: Response, envelope: Record<string, unknown>): ApiError {
  const { error, code, details } = envelope;
  const issues = Array.isArray(envelope["issues"]) ? envelope["issues"].map(issueText).join("; ") : "";
  const text = [typeof error === "string" ? error : "no reason given", issues].filter(Boolean).join(": ");
  const seconds = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  return new ApiError(
    response.status,
    typeof code === "string" ? code : "unknown",
    text,
    typeof details === "object" && details !== null ? (details as Record<string, unknown>) : {},
    ...(Number.isFinite(seconds) ? [seconds] : []),
  );
}

function issueText(issue: unknown): string {
  const { path, message } = (issue ?? {}) as { path?: unknown[]; message?: unknown };
  return `${Array.isArray(path) ? path.join(".") : ""} ${String(message ?? "is not valid")}`.trim();
}

function warningsOf(envelope: Record<string, unknown>): string[] {
  const warnings = envelope["warnings"];
  if (!Array.isArray(warnings)) return [];
  return warnings.map((warning: { message?: unknown }) => String(warning?.message ?? "")).filter(Boolean);
}

function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return inner instanceof Error ? inner.message : String(inner);
}
