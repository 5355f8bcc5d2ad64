import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("the suites run under node:test, which does not have an expect function", () => {
  const script = fileURLToPath(new URL("with-node-test.mjs", import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, ["--test", "--test-reporter=tap", script], {
    encoding: "utf8",
  });
  expect(status).toBe(0);
  expect(Number(/^# tests (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(10);
});
