/** A path of this origin to go to after sign-in; an address of another site is dropped. */
export function localPath(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^\/(?![/\\])/.test(value)) return undefined;
  return value === "/" || value.startsWith("/sign-in") ? undefined : value;
}

/** Search parts are plain text, so that an address can be typed: the router's own reading would make numbers of words. */
export function parseSearch(search: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(search));
}

export function stringifySearch(values: Record<string, unknown>): string {
  const pairs = Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)]],
  );
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
}
