/**
 * The plugin that kilo loads inside each agent: the tools of its role, and the block that tells it what is on its hook.
 *
 * It holds no policy: a tool is a name, a shape and one call to the broker; what a role may do is decided there.
 * No files, no processes, no watching; the only state is the cached block. Exactly one export: kilo runs each one.
 *
 * Reading order: `tools.ts` (which role has what), `agent.ts` and `mayor.ts` (the rows), `tool.ts` (how a row becomes
 * a tool), `prime.ts` (the hooks), `client.ts` (the calls).
 */

import type { Hooks, Plugin } from "@kilocode/plugin";

import { Broker } from "./client.ts";
import { primeHooks } from "./prime.ts";
import { MainSession } from "./root.ts";
import { sessionFrom } from "./session.ts";
import { registered } from "./tool.ts";
import { TOOLS } from "./tools.ts";

export const Gastown: Plugin = async (): Promise<Hooks> => {
  const session = sessionFrom(process.env);
  const broker = new Broker(session);
  const main = new MainSession(broker);
  return { tool: registered(TOOLS[session.role], session, broker, main), ...primeHooks(session, broker, main) };
};
