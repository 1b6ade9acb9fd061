import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** The API that `npm run dev` talks to: the address that `cargo xtask up` prints. */
const api = process.env.GASTOWN_URL ?? "http://127.0.0.1:8787";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    // Every asset is a file: the policy of api.md 1.9 has no `data:` for fonts and scripts.
    assetsInlineLimit: 0,
    // The polyfill would be a script of its own; every browser that we support preloads modules.
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": { target: api } } },
  test: {
    environment: "happy-dom",
    include: ["test/**/*.test.{ts,tsx}"],
    setupFiles: ["test/setup.ts"],
  },
});
