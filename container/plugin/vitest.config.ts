import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // The tests with the real kilo start processes of several hundred megabytes: one file after the other.
    fileParallelism: false,
    // Names each test, so that one that is skipped for want of a kilo is seen.
    reporters: ["verbose"],
  },
});
