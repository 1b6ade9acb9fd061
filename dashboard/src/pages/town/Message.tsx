import { useQuery } from "@tanstack/react-query";
import { CircleAlert, LoaderCircle, RotateCcw, Wrench, X } from "lucide-react";
import type { MayorMessage, MessagePart } from "../../api/types";
import { sessionQuery } from "../../app/queries";
import { useTownHandle } from "../../town/context";
import { discardMessage, resendMessage, textOf } from "../../town/outbox";
import type { OutgoingMessage } from "../../town/store";
import { IconButton } from "../../ui/Button";
import { cx } from "../../ui/cx";
import { ErrorDetail } from "../../ui/Notice";
import { PlainText, RichText } from "../../ui/RichText";
import { Age } from "../../ui/time";
import styles from "./Message.module.css";
import { RefLink } from "./RefLink";

/** One message of the conversation, with the tools that the mayor used. */
export function Message({ message }: { message: MayorMessage }) {
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

/** A message that is on its way, or that could not be sent. */
export function Pending({ message }: { message: OutgoingMessage }) {
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
