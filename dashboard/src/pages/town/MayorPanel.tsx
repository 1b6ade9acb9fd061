/** The conversation with the mayor: the way a person gives work to the town. */
import { useQuery } from "@tanstack/react-query";
import { ArrowDown, ArrowUp, CircleAlert, Crown, LoaderCircle, RotateCcw, Wrench, X } from "lucide-react";
import { useCallback, useMemo, useRef, useState } from "react";
import { useShallow } from "zustand/react/shallow";
import type { MayorMessage, MessagePart } from "../../api/types";
import { sessionQuery } from "../../app/queries";
import { useTown, useTownHandle } from "../../town/context";
import {
  discardMessage,
  MESSAGE_LENGTH_MAX,
  pendingMessages,
  resendMessage,
  sendMessage,
  textOf,
} from "../../town/outbox";
import type { OutgoingMessage } from "../../town/store";
import { Button, IconButton } from "../../ui/Button";
import { cx } from "../../ui/cx";
import { ErrorDetail, ErrorNotice, Notice, Skeleton } from "../../ui/Notice";
import { PlainText, RichText } from "../../ui/RichText";
import { Age } from "../../ui/time";
import styles from "./MayorPanel.module.css";
import { Panel } from "./Panel";
import { RefLink } from "./RefLink";
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
          {wait !== null && <li className={styles.system}>{wait.message}</li>}
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

function Message({ message }: { message: MayorMessage }) {
  if (message.role === "system") {
    return <li className={styles.system}>{textOf(message)}</li>;
  }
  const isUser = message.role === "user";
  return (
    <li className={cx(styles.message, isUser ? styles.user : styles.mayor)}>
      <p className={styles.byline}>
        <span className={styles.author}>{isUser ? <Author name={message.author} /> : "Mayor"}</span>
        <Age at={message.at} className={styles.age} />
        {isUser && message.state === "queued" && <span className={styles.age}>· waiting for the mayor</span>}
      </p>
      <div className={styles.parts}>
        {message.parts.map((part, index) => (
          // Parts only ever grow at the end and have no id.
          // biome-ignore lint/suspicious/noArrayIndexKey: see above
          <Part key={index} part={part} isUser={isUser} />
        ))}
        {message.state === "streaming" && <span className={styles.caret} aria-hidden />}
        {message.state === "failed" && (
          <p className={styles.failure}>
            <CircleAlert size={14} /> This message could not be finished.
          </p>
        )}
      </div>
    </li>
  );
}

/** Others who write to the mayor are named; oneself is "You", whichever of one's names the server chose. */
function Author({ name }: { name: string | null }) {
  const { data: session } = useQuery(sessionQuery);
  const user = session?.user;
  const isSelf = name === null || [user?.id, user?.name, user?.email].includes(name);
  return <>{isSelf ? "You" : name}</>;
}

function Part({ part, isUser }: { part: MessagePart; isUser: boolean }) {
  if (part.type === "tool") return <ToolPart part={part} />;
  return isUser ? <PlainText text={part.text} /> : <RichText text={part.text} />;
}

function ToolPart({ part }: { part: Extract<MessagePart, { type: "tool" }> }) {
  const isBusy = part.state === "pending" || part.state === "running";
  const Icon = isBusy ? LoaderCircle : part.state === "error" ? CircleAlert : Wrench;
  return (
    <div className={cx(styles.tool, part.state === "error" && styles.toolError)}>
      <Icon size={13} className={cx(isBusy && styles.spin)} aria-hidden />
      <span className={styles.toolTitle}>{part.title || part.tool}</span>
      <span className="visually-hidden">{part.state}</span>
      {part.refs.map((ref) => (
        <RefLink key={`${ref.kind}-${ref.id}`} reference={ref} />
      ))}
      {part.error && <span className={styles.toolReason}>{part.error}</span>}
    </div>
  );
}

function Pending({ message }: { message: OutgoingMessage }) {
  const { id, store } = useTownHandle();
  const hasFailed = message.state === "failed";
  return (
    <li className={cx(styles.message, styles.user, !hasFailed && styles.pending)}>
      <p className={styles.byline}>
        <span className={styles.author}>You</span>
        <span className={styles.age}>
          {hasFailed ? "not sent" : message.state === "sent" ? "sent" : "sending…"}
        </span>
      </p>
      <div className={styles.parts}>
        <PlainText text={message.text} />
      </div>
      {hasFailed && (
        <div className={styles.failure} role="alert">
          <span className={styles.failureText}>
            <ErrorDetail error={message.error} />
          </span>
          <IconButton label="Send again" onClick={() => void resendMessage(id, store, message)}>
            <RotateCcw size={14} />
          </IconButton>
          <IconButton label="Discard message" onClick={() => discardMessage(store, message.key)}>
            <X size={14} />
          </IconButton>
        </div>
      )}
    </li>
  );
}

function Composer() {
  const { id, store } = useTownHandle();
  const draftKey = `draft.${id}`;
  const [text, setText] = useState(() => sessionStorage.getItem(draftKey) ?? "");
  const isEmpty = text.trim() === "";

  const change = (value: string) => {
    setText(value);
    if (value === "") sessionStorage.removeItem(draftKey);
    else sessionStorage.setItem(draftKey, value);
  };
  const send = () => {
    if (isEmpty) return;
    void sendMessage(id, store, text.trim());
    change("");
  };
  return (
    <form
      className={styles.composer}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div className={styles.box}>
        <textarea
          aria-label="Message to the mayor"
          data-shortcut="m"
          className={styles.field}
          rows={2}
          maxLength={MESSAGE_LENGTH_MAX}
          placeholder="Describe what should be built or changed…"
          value={text}
          onChange={(event) => change(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") event.currentTarget.blur();
            // While an input method composes a word, Enter belongs to it.
            if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
            event.preventDefault();
            send();
          }}
        />
        <div className={styles.boxFoot}>
          <span className={styles.hint} aria-hidden>
            <kbd>Enter</kbd> to send, <kbd>Shift Enter</kbd> for a new line
          </span>
          <IconButton
            label="Send message"
            type="submit"
            look="primary"
            disabled={isEmpty}
            className={styles.send}
          >
            <ArrowUp size={16} strokeWidth={2.4} />
          </IconButton>
        </div>
      </div>
    </form>
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
