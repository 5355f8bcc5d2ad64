import fs from "node:fs";

/**
 * Who a file below `.mote/` belongs to: process id, start time, boot and pid namespace, as `pid-start-boot-namespace`. A process id
 * alone is reused, and means nothing in another container or on another machine.
 */
export type ProcessIdentity = string;

/** `foreign`: of another namespace or machine, so that only its age can tell. */
export type Liveness = "alive" | "dead" | "foreign";

export function ownIdentity(): ProcessIdentity {
  return `${process.pid}-${startTime("self") ?? Math.round(performance.timeOrigin)}-${bootId()}-${pidNamespace()}`;
}

/**
 * A wrong answer is possible (a checkpointed process, a forged name) and costs one more fetch, no more: nobody writes to
 * another's file.
 */
export function liveness(identity: ProcessIdentity): Liveness {
  const [pid, start, boot, namespace] = identity.split("-");
  if (boot !== bootId() || namespace !== pidNamespace()) return "foreign";
  const running = startTime(String(pid));
  if (running !== undefined) return running === start ? "alive" : "dead";
  if (!answersSignals(Number(pid))) return "dead";
  // Where processes have no start time to be seen (hidepid, proc(5); no /proc), only the age of its files tells whether it is the same one.
  return "foreign";
}

/** Whose a file named `owner.serial` is. */
export function ownerOf(name: string): ProcessIdentity {
  return name.split(".")[0] ?? "";
}

/** For people, as `process 123`. */
export function describeOwner(identity: ProcessIdentity): string {
  const pid = Number(identity.split("-")[0]);
  if (!Number.isSafeInteger(pid)) return "another process";
  return liveness(identity) === "foreign" ? `process ${pid} of another container or machine` : `process ${pid}`;
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/**
 * proc_pid_stat(5), field 22, in clock ticks since boot. The command name before it may hold spaces and brackets.
 * "ended" where the process waits but for its parent to notice: in a container that may be never. A last thread may still be at work.
 */
function startTime(pid: string): string | undefined {
  const stat = readOrUndefined(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, threads] = [fields?.[0], Number(fields?.[17])];
  return (state === "Z" || state === "X") && threads <= 1 ? "ended" : fields?.[19];
}

function bootId(): string {
  return readOrUndefined("/proc/sys/kernel/random/boot_id")?.trim().replaceAll("-", "") ?? "0";
}

function pidNamespace(): string {
  try {
    return /\d+/.exec(fs.readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0";
  } catch {
    return "0";
  }
}

function readOrUndefined(path: string): string | undefined {
  try {
    return fs.readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
