/** What happened, newest first, in the words of the server. */
import {
  Activity,
  CircleAlert,
  CircleCheck,
  CirclePlus,
  GitMerge,
  type LucideIcon,
  MessageSquareWarning,
  Play,
  RotateCcw,
  ScanEye,
  Square,
} from "lucide-react";
import { memo } from "react";
import type { TownEvent } from "../../api/types";
import { useTown } from "../../town/context";
import { cx } from "../../ui/cx";
import { Notice } from "../../ui/Notice";
import { Age } from "../../ui/time";
import styles from "./ActivityPanel.module.css";
import { Panel } from "./Panel";

export function ActivityPanel() {
  const events = useTown((state) => state.data?.events);
  return (
    <Panel title="Activity">
      {events === undefined || events.length === 0 ? (
        <Notice icon={<Activity size={18} />} title="Quiet so far">
          Everything that happens in the town is listed here as it happens.
        </Notice>
      ) : (
        <ol
          className={styles.list}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: nothing in it takes the focus, and it must scroll by keyboard
          tabIndex={0}
        >
          {events.map((event) => (
            <EventRow key={event.bead_event_id} event={event} />
          ))}
        </ol>
      )}
    </Panel>
  );
}

type Tone = "good" | "bad" | "busy" | "plain";

const LOOKS: Record<string, [LucideIcon, Tone]> = {
  created: [CirclePlus, "plain"],
  dispatched: [Play, "busy"],
  hooked: [Play, "busy"],
  attempt_ended: [Square, "plain"],
  unhooked: [Square, "plain"],
  review_submitted: [ScanEye, "busy"],
  review_completed: [ScanEye, "good"],
  rework_requested: [RotateCcw, "busy"],
  retried: [RotateCcw, "busy"],
  merged: [GitMerge, "good"],
  escalated: [MessageSquareWarning, "bad"],
  budget_reached: [CircleAlert, "bad"],
  breaker_opened: [CircleAlert, "bad"],
  pr_creation_failed: [CircleAlert, "bad"],
  notification_failed: [CircleAlert, "bad"],
};

function lookOf(event: TownEvent): [LucideIcon, Tone] {
  if (event.event_type === "status_changed" && event.new_value === "closed") return [CircleCheck, "good"];
  if (event.event_type === "status_changed" && event.new_value === "failed") return [CircleAlert, "bad"];
  return LOOKS[event.event_type] ?? [Activity, "plain"];
}

const EventRow = memo(function EventRow({ event }: { event: TownEvent }) {
  const [Icon, tone] = lookOf(event);
  return (
    <li className={styles.event}>
      <Icon size={14} className={cx(styles.icon, styles[tone])} aria-hidden />
      <span className={styles.text}>{event.text || `${event.event_type} ${event.title ?? ""}`}</span>
      <Age at={event.created_at} className={styles.age} />
    </li>
  );
});
