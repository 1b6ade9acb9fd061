/** The conversation with the mayor: the way a person gives work to the town. */
import { ArrowDown, Crown } from "lucide-react";
import { useCallback, useMemo, useRef, useState } from "react";
import { useShallow } from "zustand/react/shallow";
import { useTown, useTownHandle } from "../../town/context";
import { pendingMessages } from "../../town/outbox";
import { Button, IconButton } from "../../ui/Button";
import { cx } from "../../ui/cx";
import { ErrorNotice, Notice, Skeleton } from "../../ui/Notice";
import { Composer } from "./Composer";
import styles from "./MayorPanel.module.css";
import { Message, Pending } from "./Message";
import { Panel } from "./Panel";
import { mayorWords, shortModel } from "./words";

export function MayorPanel() {
  return (
    <Panel title="Mayor" aside={<MayorState />}>
      <Conversation />
      <Composer />
    </Panel>
  );
}

function MayorState() {
  const mayor = useTown((state) => state.data?.mayor ?? null);
  const status = mayor?.session?.status;
  return (
    <span className={styles.state} title={mayor?.modelReason ?? undefined}>
      {mayor?.model && <span className={styles.model}>{shortModel(mayor.model)}</span>}
      <span
        role="status"
        className={cx(styles.status, status === "active" && styles.active, mayor?.error && styles.broken)}
      >
        {mayorWords(mayor)}
      </span>
    </span>
  );
}

function Conversation() {
  const messages = useTown((state) => state.data?.messages);
  const history = useTown((state) => state.history);
  const pending = useTown(useShallow((state) => pendingMessages(state)));
  const isThinking = useTown((state) => state.data?.mayor?.session?.status === "active");
  const wait = useTown((state) => state.data?.mayor?.wait ?? null);
  const { sync } = useTownHandle();

  const rows = useMemo(
    () =>
      [...(messages?.values() ?? [])]
        .map((heard) => heard.message)
        .sort((a, b) => a.at.localeCompare(b.at) || a.id.localeCompare(b.id)),
    [messages],
  );
  const isStreaming = rows.at(-1)?.state === "streaming";
  const scroll = useStickToEnd();

  if (rows.length === 0 && pending.length === 0) {
    if (history.state === "loading") return <Skeleton rows={4} label="Loading the conversation" />;
    if (history.state === "failed") {
      return (
        <ErrorNotice
          what="The conversation could not be loaded"
          error={history.error}
          onRetry={() => void sync.current?.reloadMessages()}
        />
      );
    }
    return (
      <Notice icon={<Crown size={18} />} title="Tell the mayor what you need">
        Describe a change in plain words. The mayor turns it into tasks, gives them to agents, and reports
        back here.
      </Notice>
    );
  }
  return (
    <div className={styles.scroller}>
      <div
        ref={scroll.scroller}
        onScroll={scroll.onScroll}
        className={styles.scroll}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        role="log"
        aria-label="Conversation with the mayor"
      >
        {history.nextCursor !== null && (
          <Button
            look="quiet"
            className={styles.earlier}
            disabled={history.state === "loading"}
            onClick={() => void sync.current?.loadOlderMessages()}
          >
            {history.state === "loading" ? "Loading…" : "Show earlier messages"}
          </Button>
        )}
        <ol ref={scroll.list} className={styles.messages}>
          {rows.map((message) => (
            <Message key={message.id} message={message} />
          ))}
          {pending.map((message) => (
            <Pending key={message.key} message={message} />
          ))}
          {isThinking && !isStreaming && (
            <li className={styles.thinking}>
              <span className={styles.dots} aria-hidden>
                <i />
                <i />
                <i />
              </span>
              <span className="visually-hidden">The mayor is thinking</span>
            </li>
          )}
          {wait !== null && <li className={styles.wait}>{wait.message}</li>}
        </ol>
      </div>
      {!scroll.isAtEnd && (
        <IconButton label="Jump to the latest message" className={styles.jump} onClick={scroll.toEnd}>
          <ArrowDown size={15} />
        </IconButton>
      )}
    </div>
  );
}

/** Within this distance of the end a person is reading along, and new text should come into view. */
const END_PX = 80;

/** Keeps the end in view while a person is there, and leaves them alone while they read further up. */
function useStickToEnd() {
  const scroller = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const [isAtEnd, setAtEnd] = useState(true);

  const toEnd = useCallback(() => {
    const element = scroller.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  }, []);
  const onScroll = () => {
    const element = scroller.current;
    if (element === null) return;
    sticks.current = element.scrollHeight - element.scrollTop - element.clientHeight < END_PX;
    setAtEnd(sticks.current);
  };
  // The list grows by messages, by streamed text, and when Markdown and fonts arrive: its size tells of all of them.
  const list = useCallback(
    (element: HTMLOListElement) => {
      const observer = new ResizeObserver(() => {
        if (sticks.current) toEnd();
      });
      observer.observe(element);
      return () => observer.disconnect();
    },
    [toEnd],
  );
  return { scroller, list, onScroll, isAtEnd, toEnd };
}
