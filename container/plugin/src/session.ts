/** Who this agent is: the environment that the runtime sets (container.md 4.4), read once. */

export const ROLES = ["polecat", "refinery", "triage", "mayor"] as const;
export type Role = (typeof ROLES)[number];

export interface Session {
  readonly role: Role;
  /** Base address of the broker. */
  readonly apiUrl: string;
  /** Capability of this session; the broker turns it into the real credential. */
  readonly capability: string;
  /** First eight digits of the assignment, for idempotency keys. */
  readonly assignment8: string;
  readonly agentId: string;
  /** The branch of the order, where the kind has one. */
  readonly branch: string | undefined;
  readonly paths: Paths;
}

/** The prefixes `R`, `A` and `M` of api.md. */
export interface Paths {
  readonly rig: string;
  readonly agent: string;
  readonly mayor: string;
}

const REQUIRED = [
  "GASTOWN_API_URL",
  "GASTOWN_SESSION_TOKEN",
  "GASTOWN_TOWN_ID",
  "GASTOWN_AGENT_ID",
  "GASTOWN_AGENT_ROLE",
  "GASTOWN_ASSIGNMENT_ID",
] as const;

/** Throws, naming every variable that is missing: a session must not start without its tools. */
export function sessionFrom(env: NodeJS.ProcessEnv): Session {
  const missing: string[] = REQUIRED.filter((name) => !env[name]);
  const role = env["GASTOWN_AGENT_ROLE"];
  if (role !== "mayor" && !env["GASTOWN_RIG_ID"]) missing.push("GASTOWN_RIG_ID");
  if (missing.length > 0) throw new Error(`Gas Town: missing in the environment: ${missing.join(", ")}`);
  if (!isRole(role)) throw new Error(`Gas Town: GASTOWN_AGENT_ROLE is "${role}", not one of ${ROLES.join(", ")}`);

  const value = (name: (typeof REQUIRED)[number]): string => env[name] ?? "";
  const town = value("GASTOWN_TOWN_ID");
  const rig = role === "mayor" ? `mayor-${town}` : (env["GASTOWN_RIG_ID"] ?? "");
  const rigPath = `/api/towns/${segment(town)}/rigs/${segment(rig)}`;
  return {
    role,
    apiUrl: value("GASTOWN_API_URL").replace(/\/+$/, ""),
    capability: value("GASTOWN_SESSION_TOKEN"),
    assignment8: value("GASTOWN_ASSIGNMENT_ID").slice(0, 8),
    agentId: value("GASTOWN_AGENT_ID"),
    branch: env["GASTOWN_BRANCH"] || undefined,
    paths: {
      rig: rigPath,
      agent: `${rigPath}/agents/${segment(value("GASTOWN_AGENT_ID"))}`,
      mayor: `/api/mayor/${segment(town)}/tools`,
    },
  };
}

/** An id as one segment of a path, whatever a model wrote. */
export const segment = (id: string): string => encodeURIComponent(id);

function isRole(text: string | undefined): text is Role {
  return ROLES.some((role) => role === text);
}
