import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { staysInside } from "./packed-link.js";

describe("a symbolic link in a tree", () => {
  it("stays inside if its target is below the top", () => {
    for (const [path, target] of [
      ["link", "file"],
      ["link", "./a/b"],
      ["a/link", "../file"],
      ["a/b/link", "../../c/d"],
      ["a/link", ".."],
    ] as const) {
      expect([path, target, staysInside(path, target)]).toEqual([path, target, true]);
    }
  });

  it("leads out if it is absolute, goes above the top, or has .. after a name", () => {
    for (const [path, target] of [
      ["link", ".."],
      ["a/link", "../../file"],
      ["link", "/etc/passwd"],
      ["link", "a/../../file"],
      ["link", "a/.."],
      ["link", ""],
      ["link", "C:/file"],
      ["link", "..\\file"],
    ] as const) {
      expect([path, target, staysInside(path, target)]).toEqual([path, target, false]);
    }
  });

  it("does not lead outside in combination with other links that stay inside", () => {
    const name = fc.constantFrom("a", "b", "c");
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
    const target = fc
      .array(fc.oneof(name, fc.constant("..")), { minLength: 1, maxLength: 5 })
      .map((names) => names.join("/"));
    fc.assert(
      fc.property(fc.array(fc.tuple(path, target), { maxLength: 8 }), (links) => {
        const dir = realpathSync(mkdtempSync(join(tmpdir(), "mote-links-")));
        const root = join(dir, "root");
        try {
          const kept = links.filter(([at, to]) => staysInside(at, to));
          for (const [at] of kept) mkdirSync(dirname(join(root, at)), { recursive: true });
          for (const [at, to] of kept) if (!existsSync(join(root, at))) trySymlink(to, join(root, at));
          for (const [at] of kept) {
            const real = tryRealpath(join(root, at));
            if (real !== undefined && real !== root) expect(real.startsWith(`${root}/`)).toBe(true);
          }
        } finally {
          rmSync(dir, { recursive: true });
        }
      }),
      { numRuns: 300 },
    );
  });
});

function trySymlink(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch {
    // Another dangling link exists already.
  }
}

function tryRealpath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
