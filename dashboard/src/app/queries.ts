/**
 * Data that is loaded on demand: the session and the list of towns, later history and usage. What is live belongs to
 * the town's store (`town/store.ts`), never here, so that nothing is polled.
 */
import { QueryClient, queryOptions } from "@tanstack/react-query";
import { ApiError, api } from "../api/client";
import type { Session, Town } from "../api/types";

const RETRIES_MAX = 2;

export const queries = new QueryClient({
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
