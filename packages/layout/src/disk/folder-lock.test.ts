import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { lockFolder } from "./folder-lock.js";

const dir = mkdtempSync(join(tmpdir(), "mote-lock-"));
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

it("waits a limited time for a lock that others keep acquiring, and the error names it", async () => {
  const path = join(dir, "index.json.lock");
  writeFileSync(path, "");
  let now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => {
    now += 1000;
    // Another process has acquired it.
    utimesSync(path, now, now);
    return now;
  });
  await expect(lockFolder(dir, path)).rejects.toMatchObject({ code: "MOTE_TIMEOUT", details: { path } });
});
