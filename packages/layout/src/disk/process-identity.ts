import { readFileSync, readlinkSync } from "node:fs";
import { errorNumber } from "./file-error.js";

/** Which process something belongs to: its id, start time, boot and pid namespace, as `pid-start-boot-namespace`. */
export type ProcessIdentity = string;

/** The form of an identity in a file's name. */
export const identityPattern = String.raw`\d+-\d+-[0-9a-f]+-\d+`;

/** `unknown`: of another pid namespace or machine, or of a process that is hidden. Only age can tell then. */
export type Liveness = "alive" | "dead" | "unknown";

let own: ProcessIdentity | undefined;

export function ownIdentity(): ProcessIdentity {
  own ??= `${process.pid}-${startTime("self") ?? Math.round(performance.timeOrigin)}-${bootId()}-${pidNamespace()}`;
  return own;
}

/** A process id alone is reused, and means nothing in another container. */
export function livenessOf(identity: ProcessIdentity): Liveness {
  if (identity === ownIdentity()) return "alive";
  const [pid, start, boot, namespace] = identity.split("-");
  if (boot !== bootId() || namespace !== pidNamespace()) return "unknown";
  const running = startTime(String(pid));
  if (running !== undefined) return running === start ? "alive" : "dead";
  if (!exists(Number(pid))) return "dead";
  return process.platform === "linux" ? "unknown" : "alive";
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorNumber(error) === "EPERM";
  }
}

/** proc_pid_stat(5), fields 3 and 22. The command's name before them may hold spaces and brackets. A zombie has ended. */
function startTime(pid: string): string | undefined {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const isZombie = fields?.[0] === "Z" || fields?.[0] === "X";
  return isZombie && Number(fields?.[17]) <= 1 ? "ended" : fields?.[19];
}

function bootId(): string {
  const id = attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1"));
  return id?.trim().replaceAll("-", "") ?? "0";
}

function pidNamespace(): string {
  return /\d+/.exec(attempt(() => readlinkSync("/proc/self/ns/pid")) ?? "")?.[0] ?? "0";
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
