import { defineConfig } from "vitest/config";

/** Packages find each other's sources, so that a test needs no build; what starts processes uses `dist`. */
export default defineConfig({
  resolve: { conditions: ["@mote/source"] },
  ssr: { resolve: { conditions: ["@mote/source", "node", "import", "default"] } },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A busy machine is no reason to fail: what is waited for comes, or the test ends by its own timeout.
    expect: { poll: { timeout: 60_000, interval: 20 } },
    passWithNoTests: true,
  },
});
