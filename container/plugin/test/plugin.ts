/** The plugin as kilo sees it, for one role. */

import type { Hooks, ToolContext } from "@kilocode/plugin";

import { Broker } from "../src/client.ts";
import { primeHooks } from "../src/prime.ts";
import { MainSession } from "../src/root.ts";
import { sessionFrom, type Role } from "../src/session.ts";
import { registered } from "../src/tool.ts";
import { TOOLS } from "../src/tools.ts";

export const TOWN = "10000000-0000-4000-8000-000000000000";
export const RIG = "20000000-0000-4000-8000-000000000000";
export const AGENT = "30000000-0000-4000-8000-000000000000";
export const ASSIGNMENT = "40000000-0000-4000-8000-000000000000";
export const BEAD = "1a2b3c4d-0000-4000-8000-000000000000";
export const BRANCH = "polecat/toast/1a2b3c4d";

export function environment(role: Role, apiUrl: string): Record<string, string> {
  return {
    GASTOWN_API_URL: apiUrl,
    GASTOWN_SESSION_TOKEN: "gtc_test",
    GASTOWN_TOWN_ID: TOWN,
    GASTOWN_AGENT_ID: AGENT,
    GASTOWN_AGENT_ROLE: role,
    GASTOWN_ASSIGNMENT_ID: ASSIGNMENT,
    ...(role === "mayor" ? {} : { GASTOWN_RIG_ID: RIG }),
    ...(role === "polecat" ? { GASTOWN_BRANCH: BRANCH } : {}),
  };
}

export function plugin(role: Role, apiUrl: string): Hooks {
  const session = sessionFrom(environment(role, apiUrl));
  const broker = new Broker(session);
  const main = new MainSession(broker);
  return { tool: registered(TOOLS[role], session, broker, main), ...primeHooks(session, broker, main) };
}

/** Runs one tool as kilo does; an error becomes its text, as kilo shows it. */
export async function run(hooks: Hooks, name: string, args: unknown, more: Partial<ToolContext> = {}): Promise<string> {
  const tool = hooks.tool?.[name];
  if (!tool) throw new Error(`${name} is not registered`);
  const context = { sessionID: "ses_root", callID: "call_1", abort: new AbortController().signal, ...more } as ToolContext;
  try {
    return (await tool.execute(args as never, context)) as string;
  } catch (error) {
    return String(error);
  }
}
