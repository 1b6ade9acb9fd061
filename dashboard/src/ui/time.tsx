/** Instants as people read them. One timer serves the whole page and runs only while something shows a time. */
import { useCallback, useSyncExternalStore } from "react";

const TICK_MS = 1_000;

let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    now = Date.now();
    timer = setInterval(() => {
      now = Date.now();
      for (const each of listeners) each();
    }, TICK_MS);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

/** Text that depends on the time; the component renders only when the text changes. */
export function useTimeText(format: (now: number) => string): string {
  const read = useCallback(() => format(now), [format]);
  return useSyncExternalStore(subscribe, read);
}

/** "now", "12s", "3m", "2h", "4d" */
export function shortAge(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** How long ago something was; the full instant is in the tooltip. */
export function Age({ at, className }: { at: string; className?: string | undefined }) {
  const since = Date.parse(at);
  const age = useTimeText(useCallback((time: number) => shortAge(time - since), [since]));
  return (
    <time dateTime={at} title={new Date(since).toLocaleString()} className={className}>
      {age}
    </time>
  );
}
