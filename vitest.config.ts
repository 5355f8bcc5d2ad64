import { defineConfig } from "vitest/config";

const report = process.env.MOTE_TEST_REPORT;

export default defineConfig({
  test: {
    projects: ["packages/*", "apps/*", "docs", "examples"],
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
    // Many tests wait for processes and servers.
    maxWorkers: 3,
  },
});
