import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "happy-dom",
    include: ["tests/**/*.test.ts"],
    // Two cores are shared with pytest and a browser: one worker is quicker than two fighting.
    maxWorkers: 1,
    // Generous: a busy machine is no failure.
    testTimeout: 30_000,
    restoreMocks: true,
    unstubGlobals: true,
  },
});
