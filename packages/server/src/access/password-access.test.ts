import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashSync } from "bcryptjs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Action } from "./access.js";
import { PasswordAccess, type PasswordAccessOptions } from "./password-access.js";
import { PasswordChecker } from "./password-checker.js";

let folder: string;
let file: string;
let opened: PasswordAccess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-password-"));
  file = join(folder, "htpasswd");
  opened = [];
  writeUsers({ ann: "secret", zoë: "pä:ss" });
});
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(opened.map((access) => access[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true });
});

function writeUsers(users: Record<string, string>): void {
  const lines = Object.entries(users).map(([user, password]) => `${user}:${hashSync(password, 4)}\n`);
  writeFileSync(`${file}.new`, lines.join(""));
  renameSync(`${file}.new`, file);
}

function open(options: PasswordAccessOptions = { htpasswd: file }): PasswordAccess {
  const access = new PasswordAccess(options);
  opened.push(access);
  return access;
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

async function decide(access: PasswordAccess, action: Action, authorization?: string): Promise<string> {
  const { kind } = await access.decide({ action, authorization });
  return kind;
}

describe("a server with a htpasswd file", () => {
  it("allows its users everything, and others nothing", async () => {
    const access = open();
    for (const action of ["pull", "push", "delete", "list", "status"] as const) {
      const login = basic("zoë", "pä:ss");
      expect(await access.decide({ action, authorization: login })).toEqual({ kind: "allowed", user: "zoë" });
      for (const wrong of [undefined, basic("ann", "pä:ss"), basic("eve", "secret"), basic("", ""), "Bearer x", "x"]) {
        expect(await decide(access, action, wrong)).toBe("unauthenticated");
      }
    }
  });

  it("may allow reads without a login, but not with a wrong one", async () => {
    const access = open({ htpasswd: file, anonymousPull: true });
    for (const action of ["pull", "list"] as const) {
      expect(await access.decide({ action, authorization: undefined })).toMatchObject({
        kind: "allowed",
        challenge: expect.stringMatching(/^Basic realm="/),
      });
      expect(await decide(access, action, basic("", ""))).toBe("allowed");
      expect(await decide(access, action, basic("ann", "wrong"))).toBe("unauthenticated");
    }
    for (const action of ["push", "delete", "status"] as const) {
      expect(await decide(access, action)).toBe("unauthenticated");
      expect(await decide(access, action, basic("ann", "secret"))).toBe("allowed");
    }
  });

  it("reads the file again when it has changed, and at a reload", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const access = open();
    expect(await decide(access, "pull", basic("bob", "new"))).toBe("unauthenticated");
    writeUsers({ bob: "new" });
    vi.advanceTimersByTime(10_000);
    expect(await decide(access, "pull", basic("bob", "new"))).toBe("allowed");
    expect(await decide(access, "pull", basic("ann", "secret"))).toBe("unauthenticated");
    writeUsers({ ann: "newer" });
    access.reload();
    expect(await decide(access, "pull", basic("ann", "newer"))).toBe("allowed");
  });

  it("keeps its users and says so if the new file is missing or not valid", async () => {
    const errors: string[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (message: string) => errors.push(message) };
    const access = open({ htpasswd: file, logger });
    writeFileSync(file, "ann:plain");
    access.reload();
    rmSync(file);
    access.reload();
    expect(await decide(access, "pull", basic("ann", "secret"))).toBe("allowed");
    expect(errors).toEqual([expect.stringContaining('"ann" is not bcrypt'), expect.stringContaining("ENOENT")]);
    for (const error of errors) expect(error).toMatch(/; the users stay as they were$/);
    expect(() => open()).toThrow(expect.objectContaining({ code: "MOTE_CONFIG" }));
  });
});

it("without a htpasswd file allows reads and denies everything else, whatever the login", async () => {
  const access = open({ anonymousPull: true });
  for (const login of [undefined, basic("ann", "secret")]) {
    expect(await access.decide({ action: "pull", authorization: login })).toEqual({ kind: "allowed" });
    expect(await decide(access, "push", login)).toBe("denied");
    expect(await decide(access, "status", login)).toBe("denied");
  }
});

describe("the checks of passwords", () => {
  it("do not block the thread of the server", async () => {
    const checker = new PasswordChecker();
    let turns = 0;
    let isDone = false;
    const check = checker.check("x", hashSync("x", 10)).finally(() => {
      isDone = true;
    });
    while (!isDone) {
      turns++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await check).toBe(true);
    expect(turns).toBeGreaterThan(100);
    await checker.close();
  });

  it("are bounded: beyond, logins get 503", async () => {
    const checker = new PasswordChecker();
    const hash = hashSync("x", 4);
    const checks = Array.from({ length: 32 }, () => checker.check("x", hash));
    expect(() => checker.check("x", hash)).toThrow(
      expect.objectContaining({ response: expect.objectContaining({ status: 503 }) }),
    );
    expect(await Promise.all(checks)).toEqual(Array(32).fill(true));
    expect(await checker.check("y", hash)).toBe(false);
    await checker.close();
  });

  it("that are not finished when the server closes are rejected", async () => {
    const checker = new PasswordChecker();
    const check = checker.check("x", hashSync("x", 4).replace("$04$", "$16$"));
    const rejected = expect(check).rejects.toThrow("ended");
    await checker.close();
    await rejected;
  });
});
