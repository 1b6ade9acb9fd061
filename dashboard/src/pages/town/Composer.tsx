import { ArrowUp } from "lucide-react";
import { useState } from "react";
import { useTownHandle } from "../../town/context";
import { MESSAGE_LENGTH_MAX, sendMessage } from "../../town/outbox";
import { IconButton } from "../../ui/Button";
import styles from "./Composer.module.css";

/** Where a person writes. What is not sent yet survives a reload. */
export function Composer() {
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
