/** Single keys of the overview (api.md 7.4). They are silent while a person types or holds a modifier. */
import { useEffect } from "react";

/** Elements that a key moves the focus to carry `data-shortcut="<key>"`; a tab with the same part is opened first. */
const TARGETS: Record<string, string> = { m: "mayor", "/": "board" };

export function useShortcuts(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const part = TARGETS[event.key];
      if (part === undefined || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
        return;
      event.preventDefault();
      focusPart(event.key, part);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

/** Moves the focus to the mayor's box, on whatever tab it is. */
export function focusMayor(): void {
  focusPart("m", "mayor");
}

function focusPart(key: string, part: string): void {
  const find = () => document.querySelector<HTMLElement>(`[data-shortcut="${key}"]`);
  const target = find();
  if (target !== null) {
    target.focus();
    return;
  }
  document.querySelector<HTMLElement>(`[data-tab="${part}"]`)?.click();
  requestAnimationFrame(() => find()?.focus());
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}
