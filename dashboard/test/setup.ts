import { cleanup } from "@testing-library/react";
import { afterEach } from "vitest";

afterEach(() => {
  // Tests of the network run in plain Node, without a page to clean.
  if (typeof document === "undefined") return;
  cleanup();
  sessionStorage.clear();
});
