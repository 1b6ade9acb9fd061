/**
 * Exchanges the token of a sign-in link for a session. The token stands in the fragment, which browsers never send,
 * and leaves the address bar and the history before anything else happens.
 */
import { useMutation } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useEffect, useId, useState } from "react";
import { ApiError, api } from "../../api/client";
import type { Session } from "../../api/types";
import { queries, sessionQuery } from "../../app/queries";
import { Button } from "../../ui/Button";
import { Logo } from "../../ui/Logo";
import { ErrorDetail } from "../../ui/Notice";
import styles from "./SignInPage.module.css";

/** A link's token opens one session only, so that it is taken once, also when React mounts the page twice. */
let linkToken = takeLinkToken();

export function SignInPage() {
  const { next } = useSearch({ from: "/sign-in" });
  const router = useRouter();
  const [pasted, setPasted] = useState("");
  const fieldId = useId();

  const signIn = useMutation({
    mutationFn: (token: string) => api.post<Session>("/api/session", { body: { token } }),
    onSuccess: (session) => {
      queries.setQueryData(sessionQuery.queryKey, session);
      router.history.replace(next ?? "/");
    },
  });
  const { mutate } = signIn;

  useEffect(() => {
    const takeAndUse = () => {
      const token = linkToken ?? takeLinkToken();
      linkToken = null;
      if (token !== null) mutate(token);
    };
    takeAndUse();
    // A link that is opened in a tab which already shows this page changes only the fragment.
    window.addEventListener("hashchange", takeAndUse);
    return () => window.removeEventListener("hashchange", takeAndUse);
  }, [mutate]);

  return (
    <main className={styles.page}>
      <title>Gastown Dashboard · Sign in</title>
      <div className={styles.card}>
        <Logo size={36} />
        <h1 className={styles.title}>Sign in to Gastown</h1>
        {signIn.isPending || signIn.isSuccess ? (
          <p role="status" className={styles.text}>
            Signing you in…
          </p>
        ) : (
          <>
            {signIn.isError ? (
              <p role="alert" className={styles.error}>
                {explain(signIn.error)} <ErrorDetail error={signIn.error} />
              </p>
            ) : (
              <p className={styles.text}>
                Open the sign-in link that you were given, or paste its token here.
              </p>
            )}
            <form
              className={styles.form}
              onSubmit={(event) => {
                event.preventDefault();
                const token = tokenIn(pasted);
                if (token !== "") mutate(token);
              }}
            >
              <label htmlFor={fieldId} className={styles.label}>
                Sign-in token or link
              </label>
              <input
                id={fieldId}
                className={styles.field}
                type="password"
                autoComplete="off"
                spellCheck={false}
                value={pasted}
                onChange={(event) => setPasted(event.target.value)}
              />
              <Button look="primary" type="submit" disabled={pasted.trim() === ""} className={styles.submit}>
                Sign in
              </Button>
            </form>
          </>
        )}
      </div>
    </main>
  );
}

function takeLinkToken(): string | null {
  const token = new URLSearchParams(window.location.hash.slice(1)).get("t");
  if (token === null) return null;
  window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
  return token;
}

/** People paste what they have: the token alone or the whole link. */
function tokenIn(pasted: string): string {
  const text = pasted.trim();
  const mark = text.indexOf("#t=");
  return mark < 0 ? text : text.slice(mark + 3);
}

function explain(error: Error): string {
  if (!(error instanceof ApiError)) return "Signing in did not work.";
  if (error.code === "token_expired") return "This link has expired: ask for a new one.";
  if (error.status === 401) return "This link was used before, or is not valid: ask for a new one.";
  return "Signing in did not work.";
}
