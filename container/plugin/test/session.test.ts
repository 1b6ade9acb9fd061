/** What the environment must hold. */

import { expect, test } from "vitest";

import { sessionFrom } from "../src/session.ts";
import { AGENT, environment, RIG, TOWN } from "./plugin.ts";

test("all missing names are told at once", () => {
  expect(() => sessionFrom({})).toThrow(
    "Gas Town: missing in the environment: GASTOWN_API_URL, GASTOWN_SESSION_TOKEN, GASTOWN_TOWN_ID, GASTOWN_AGENT_ID, GASTOWN_AGENT_ROLE, GASTOWN_ASSIGNMENT_ID, GASTOWN_RIG_ID",
  );
  const { GASTOWN_TOWN_ID: _, ...env } = environment("mayor", "http://127.0.0.1:9");
  expect(() => sessionFrom(env)).toThrow("missing in the environment: GASTOWN_TOWN_ID");
});

test("an unknown role has no tools", () => {
  const env = { ...environment("polecat", "http://127.0.0.1:9"), GASTOWN_AGENT_ROLE: "admin" };
  expect(() => sessionFrom(env)).toThrow('GASTOWN_AGENT_ROLE is "admin"');
});

test("paths are made of the ids; the mayor's rig is its town's", () => {
  const polecat = sessionFrom(environment("polecat", "http://127.0.0.1:9/"));
  expect(polecat.apiUrl).toBe("http://127.0.0.1:9");
  expect(polecat.paths.agent).toBe(`/api/towns/${TOWN}/rigs/${RIG}/agents/${AGENT}`);
  const mayor = sessionFrom(environment("mayor", "http://127.0.0.1:9"));
  expect(mayor.paths.agent).toBe(`/api/towns/${TOWN}/rigs/mayor-${TOWN}/agents/${AGENT}`);
  expect(mayor.paths.mayor).toBe(`/api/mayor/${TOWN}/tools`);
});
