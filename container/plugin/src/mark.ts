/** Marked blocks, as `core::prompt::mark` writes them: text of others cannot end its block or begin another. */

import { randomBytes } from "node:crypto";

export type Nonce = string;

export const newNonce = (): Nonce => randomBytes(4).toString("hex");

export function block(label: string, text: string, nonce: Nonce = newNonce()): string {
  const inside = text.trimEnd().replaceAll("\0", "").replaceAll("<<<", "‹‹‹").replaceAll(">>>", "›››");
  return `<<<BEGIN ${label} ${nonce}\n${inside}\nEND ${label} ${nonce}>>>`;
}

/** A value of others within a line of ours. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f]+/g, " ").trim();
}
