/**
 * Data that is loaded on demand: the session and the list of towns, later history and usage. What is live belongs to
 * the town's store (`town/store.ts`), never here, so that nothing is polled.
 */
import { QueryCache, QueryClient, queryOptions } from "@tanstack/react-query";
import { ApiError, api } from "../api/client";
import type { Session, Town } from "../api/types";

const RETRIES_MAX = 2;

export const queries = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      // Whether there is a session at the start is for the router to see; here one has ended.
      const isStart = query.queryKey[0] === sessionQuery.queryKey[0];
      if (error instanceof ApiError && error.status === 401 && !isStart) leaveToSignIn();
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (count, error) => count < RETRIES_MAX && error instanceof ApiError && error.isTransient,
    },
  },
});

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => api.get<Session>("/api/session", { signal }),
  staleTime: Number.POSITIVE_INFINITY,
});

export const townsQuery = queryOptions({
  queryKey: ["towns"],
  queryFn: ({ signal }) => api.get<Town[]>("/api/towns", { signal }),
  staleTime: 0,
});

/** Leaves by a full page load, so that nothing of the ended session stays in memory. */
export function leaveToSignIn(): void {
  const here = window.location.pathname + window.location.search;
  window.location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
}
