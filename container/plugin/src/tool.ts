/** How a row of the table becomes a tool: checked arguments, one call from the main session only, one text. */

import type { Hooks, ToolContext } from "@kilocode/plugin";
import { z } from "zod";

import { withAdvice } from "./advice.ts";
import { ApiError, type Broker, type Reply, type Request } from "./client.ts";
import type { MainSession } from "./root.ts";
import type { Session } from "./session.ts";

/** Which errors a tool gets advice for (`advice.ts`). */
export type Family = "context" | "bead" | "done" | "verdict" | "mail" | "sling" | "list" | "report" | "triage" | "convoy" | "batch" | "assign";

/** One argument: its schema, and what it means. kilo drops zod's descriptions, so the tool's own text names them. */
export type Arg = readonly [schema: z.ZodType, meaning: string];
type Args = Readonly<Record<string, Arg>>;
type Values<A extends Args> = { readonly [K in keyof A]: z.output<A[K][0]> };

export interface Row<A extends Args = Args, T = unknown> {
  readonly name: string;
  readonly family: Family;
  readonly description: string;
  readonly args: A;
  /** The one call of this tool. */
  request(values: Values<A>, session: Session): Request;
  /** What the model reads. */
  result(reply: Reply<T>, values: Values<A>, caller: Caller): string;
  /** What the model reads instead of this refusal, where it is no error to it. */
  refused?(error: ApiError): string | undefined;
  /** Sent once the result was returned; whether it succeeds changes nothing for the model. */
  afterwards?(reply: Reply<T>, session: Session): Request | undefined;
}

/** Who calls: the session, and the kind of its assignment. */
export interface Caller {
  readonly session: Session;
  readonly kind: string;
}

/** A row as the table keeps it; its argument and reply types are its own affair. */
export type Tool = Row<any, any>;

/** `row<Reply>()({…})`: names the reply, infers the arguments. */
export const row =
  <T>() =>
  <const A extends Args>(definition: Row<A, T>): Tool =>
    definition;

type Registered = NonNullable<Hooks["tool"]>;

const NOT_MAIN = "Only the main session reports results. Return what you found to the session that asked you.";

export function registered(tools: readonly Tool[], session: Session, broker: Broker, main: MainSession): Registered {
  const offered = new Set(tools.map((tool) => tool.name));
  const entries = tools.map((tool) => {
    const shape = shapeOf(tool);
    const execute = async (given: unknown, context: ToolContext): Promise<string> => {
      const values = checked(tool, shape, given);
      try {
        const local = await main.if(context.sessionID, context.abort);
        if (!local) throw new ToolError(NOT_MAIN);
        return await run(tool, values, { session, kind: local.kind }, broker, context);
      } catch (error) {
        throw error instanceof ApiError ? withAdvice(error, tool, offered) : error;
      }
    };
    return [tool.name, { description: descriptionOf(tool), args: shape, execute }] as const;
  });
  return Object.fromEntries(entries) as Registered;
}

async function run(tool: Tool, values: any, caller: Caller, broker: Broker, context: ToolContext): Promise<string> {
  const request = tool.request(values, caller.session);
  const callId = (context as { callID?: string }).callID ?? crypto.randomUUID();
  let reply: Reply<unknown>;
  try {
    reply = await broker.call(request, { callId, signal: context.abort });
  } catch (error) {
    const text = error instanceof ApiError ? tool.refused?.(error) : undefined;
    if (text === undefined) throw error;
    return text;
  }
  const text = tool.result(reply, values, caller);
  const later = tool.afterwards?.(reply, caller.session);
  // After this function has returned: what the model did not get must not count as delivered.
  if (later) setImmediate(() => void broker.call(later, { callId: `${callId}-ack` }).catch(() => undefined));
  return [text, ...reply.warnings.map((warning) => `Note: ${warning}`)].join("\n");
}

/** A refusal of our own, without the words of the API. */
class ToolError extends Error {
  override readonly name = "";
}

function checked(tool: Tool, shape: z.ZodRawShape, given: unknown): any {
  const result = z.object(shape).safeParse(given ?? {});
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => `${path.join(".") || "arguments"}: ${message}`);
  throw new ToolError(`${tool.name} was not called: ${issues.join("; ")}`);
}

function shapeOf(tool: Tool): z.ZodRawShape {
  return Object.fromEntries(Object.entries(tool.args as Args).map(([name, [schema]]) => [name, schema]));
}

export function descriptionOf(tool: Tool): string {
  const lines = Object.entries(tool.args as Args).map(([name, [schema, meaning]]) => {
    return `- ${name}${schema.safeParse(undefined).success ? " (optional)" : ""}: ${meaning}`;
  });
  return lines.length === 0 ? tool.description : `${tool.description}\n\nArguments:\n${lines.join("\n")}`;
}
