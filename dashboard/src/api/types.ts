/** The shapes of api.md 4 under short names; they come from the API document (`docs/openapi.ts`, which `cargo xtask golden` writes). */

import type { components } from "../../../docs/openapi";

type Schemas = components["schemas"];

export type Instant = string;

export type Agent = Schemas["Agent"];
export type AgentRole = Schemas["AgentRole"];
export type AgentStatus = Schemas["AgentStatus"];
export type Assignment = Schemas["Assignment"];
export type AssignmentKind = Assignment["kind"];
export type AssignmentPhase = Assignment["phase"];
export type Bead = Schemas["Bead"];
export type BeadStatus = Schemas["BeadStatus"];
export type ErrorBody = Schemas["ErrorBody"];
export type Failure = Schemas["Failure"];
export type MayorMessage = Schemas["MayorMessage"];
export type MayorStatus = Schemas["MayorStatus"];
export type MessagePart = Schemas["MessagePart"];
export type MessageRef = Schemas["MessageRef"];
export type Priority = Schemas["Priority"];
export type Rig = Schemas["Rig"];
export type Session = Schemas["Session"];
export type Snapshot = Schemas["Snapshot"];
export type Tokens = Schemas["Tokens"];
export type Town = Schemas["Town"];
export type TownEvent = Schemas["Event"];
export type Wait = Schemas["Wait"];

/** What a `data:` line of the town channel holds (api.md 6.2). */
export interface Frame<T = unknown> {
  seq: number;
  at: Instant;
  type: string;
  rig_id: string | null;
  data: T;
}
