/**
 * One way to call the JSON API: unwraps the envelope of api.md 1.1 and turns every failure into an `ApiError`.
 *
 * The session cookie is the only credential, so nothing here holds a token. Nothing retries here: who asks knows
 * whether a repeat is harmless.
 */
import type { ErrorBody } from "./types";

/** A refusal by the server, or no answer at all (`status` 0, `code` "unreachable"). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;

  constructor(status: number, code: string, message: string, requestId: string | null = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }

  /** Whether the same request can succeed later without a change: nobody answered, or the server is busy. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

interface CallOptions {
  body?: unknown;
  idempotencyKey?: string;
  signal?: AbortSignal;
}

export const api = {
  get: <T>(path: string, options?: Pick<CallOptions, "signal">) => call<T>("GET", path, options),
  post: <T>(path: string, options?: CallOptions) => call<T>("POST", path, options),
  delete: <T>(path: string, options?: CallOptions) => call<T>("DELETE", path, options),
  list: listPage,
};

/** One page of a list and where the next one begins (api.md 1.4). */
export interface Page<T> {
  rows: T[];
  nextCursor: string | null;
}

/** The path of a town, with its id made safe for a URL. */
export function townPath(townId: string): string {
  return `/api/towns/${encodeURIComponent(townId)}`;
}

async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const response = await send(method, path, options);
  const body = (await response.json()) as { data: T };
  return body.data;
}

async function listPage<T>(path: string, options: Pick<CallOptions, "signal"> = {}): Promise<Page<T>> {
  const response = await send("GET", path, options);
  const body = (await response.json()) as { data: T[] };
  return { rows: body.data, nextCursor: response.headers.get("X-Next-Cursor") };
}

async function send(method: string, path: string, options: CallOptions): Promise<Response> {
  const headers = new Headers({ Accept: "application/json" });
  if (options.body !== undefined) headers.set("Content-Type", "application/json");
  if (options.idempotencyKey !== undefined) headers.set("Idempotency-Key", options.idempotencyKey);
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: options.signal ?? null,
      credentials: "same-origin",
    });
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new ApiError(0, "unreachable", "The server cannot be reached.");
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

/** Reads the error body of an answer; an answer without one (a proxy's page) still becomes a sentence. */
export async function errorOf(response: Response): Promise<ApiError> {
  const requestId = response.headers.get("X-Request-Id");
  const body = (await response.json().catch(() => null)) as Partial<ErrorBody> | null;
  return new ApiError(
    response.status,
    body?.code ?? "unknown",
    body?.error ?? `The server answered ${response.status}.`,
    body?.request_id ?? requestId,
  );
}
