import { Crown, Factory } from "lucide-react";
import type { AgentRole } from "../api/types";
import styles from "./Avatar.module.css";
import { cx } from "./cx";

/** Golden-angle steps keep the hues of neighbours in the name pool far apart. */
const HUE_STEP = 137.508;
const HUES = 12;

/** An agent's mark: its initial in its own hue; the mayor and the refinery have signs of office. */
export function Avatar({ name, role, size = 20 }: { name: string; role: AgentRole; size?: 20 | 28 }) {
  const Sign = role === "mayor" ? Crown : role === "refinery" ? Factory : null;
  return (
    <span
      aria-hidden
      className={cx(styles.avatar, size === 28 && styles.large, styles[role])}
      style={{ "--hue": String(hueOf(name)) } as React.CSSProperties}
    >
      {Sign === null ? (
        name.slice(0, 1).toUpperCase()
      ) : (
        <Sign size={size === 28 ? 15 : 11} strokeWidth={2.2} />
      )}
    </span>
  );
}

function hueOf(name: string): number {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return Math.round(((sum % HUES) * HUE_STEP) % 360);
}
