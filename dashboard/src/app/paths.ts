/** A path of this origin to go to after sign-in; an address of another site is dropped. */
export function localPath(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^\/(?![/\\])/.test(value)) return undefined;
  return value === "/" || value.startsWith("/sign-in") ? undefined : value;
}
