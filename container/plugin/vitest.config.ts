import { defineConfig } from "vitest/config";

// The tests with the real kilo start processes of several hundred megabytes: one file after the other.
export default defineConfig({ test: { include: ["test/**/*.test.ts"], fileParallelism: false } });
