import { expect, it } from "vitest";
import { identityPattern, type ProcessCalls, processIdentities } from "./index.js";

/** Simulates a machine with these processes, given as their /proc/PID/stat after the command name. */
function machine(stats: Record<string, string>, { boot = "b-0-0-7", pid = 10 } = {}): ProcessCalls {
  const files: Record<string, string> = { "/proc/sys/kernel/random/boot_id": `${boot}\n` };
  for (const [id, rest] of Object.entries(stats)) files[`/proc/${id}/stat`] = `${id} (a (b) c) ${rest}`;
  return {
    files: {
      readFileSync: (path) => files[path] ?? missing(path),
      readlinkSync: () => "pid:[4026531836]",
    },
    process: { pid, kill: (id) => (id === 99 ? true : missing(String(id))) },
  };
}
function missing(what: string): never {
  throw Object.assign(new Error(what), { code: "ENOENT" });
}
/** Fields 3 to 22 of proc_pid_stat(5). */
const stat = (state: string, threads: number, start: number) =>
  [state, ...Array(16).fill(0), threads, 0, start, 0].join(" ");

const own = processIdentities(machine({ self: stat("R", 1, 500), 10: stat("R", 1, 500), 11: stat("S", 1, 600) }));

it("identifies a process by id, start time, boot and pid namespace", () => {
  expect(own.ownIdentity()).toBe("10-500-b007-4026531836");
  expect(own.ownIdentity()).toMatch(new RegExp(`^${identityPattern}$`));
  expect(own.livenessOf(own.ownIdentity())).toBe("alive");
});

it("distinguishes a running process from an ended one, even if its id is reused", () => {
  expect(own.livenessOf("11-600-b007-4026531836")).toBe("alive");
  expect(own.livenessOf("11-599-b007-4026531836")).toBe("dead");
  expect(own.livenessOf("12-600-b007-4026531836")).toBe("dead");
});

it("reports a zombie as dead unless one of its threads still runs", () => {
  const { livenessOf } = processIdentities(machine({ 20: stat("Z", 1, 7), 21: stat("Z", 2, 7) }));
  expect(livenessOf("20-7-b007-4026531836")).toBe("dead");
  expect(livenessOf("21-7-b007-4026531836")).toBe("alive");
});

it("reports unknown for another machine, another namespace or a hidden process", () => {
  expect(own.livenessOf("11-600-c007-4026531836")).toBe("unknown");
  expect(own.livenessOf("11-600-b007-1")).toBe("unknown");
  expect(own.livenessOf("99-600-b007-4026531836")).toBe("unknown");
});

it("describes a process for messages", () => {
  expect(own.describeProcess("11-600-b007-4026531836")).toBe("process 11");
  expect(own.describeProcess("11-600-b007-1")).toBe("process 11 of another container or machine");
  expect(own.describeProcess("x")).toBe("another process");
});
