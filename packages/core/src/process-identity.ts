import { errorCode } from "./system-error.js";

/**
 * Identifies the process that a file belongs to: `pid-start-boot-namespace`, with start time, boot id and pid namespace. Process ids are
 * reused, and are not unique across containers and machines.
 */
export type ProcessIdentity = string;

/** A regular expression that matches an identity in a file name. */
export const identityPattern = String.raw`\d+-\d+-[0-9a-f]+-\d+`;

/** `unknown`: the process is hidden, or belongs to another pid namespace or machine. */
export type Liveness = "alive" | "dead" | "unknown";

/** The functions of `node:fs` and `process` that are used. */
export interface ProcessCalls {
  readonly files: {
    readFileSync(path: string, encoding: "latin1"): string;
    readlinkSync(path: string): string;
  };
  readonly process: {
    readonly pid: number;
    kill(pid: number, signal: 0): unknown;
  };
}

export interface ProcessIdentities {
  /** Returns the identity of this process. */
  ownIdentity(): ProcessIdentity;
  /** Returns whether a process runs. The result may be wrong (a checkpointed process, a forged name); use it only as a hint. */
  livenessOf(identity: ProcessIdentity): Liveness;
  /** Describes a process for messages, such as `process 123`. */
  describeProcess(identity: ProcessIdentity): string;
}

export function processIdentities({ files, process }: ProcessCalls): ProcessIdentities {
  let own: ProcessIdentity | undefined;
  const ownIdentity = () => {
    own ??= `${process.pid}-${startTime("self") ?? Math.round(performance.timeOrigin)}-${bootId()}-${pidNamespace()}`;
    return own;
  };

  const livenessOf = (identity: ProcessIdentity): Liveness => {
    if (identity === ownIdentity()) return "alive";
    const [pid, start, boot, namespace] = identity.split("-");
    if (boot !== bootId() || namespace !== pidNamespace()) return "unknown";
    const running = startTime(String(pid));
    if (running !== undefined) return running === start ? "alive" : "dead";
    // Without a start time (hidepid in proc(5), no /proc), the id may belong to another process.
    return acceptsSignals(Number(pid)) ? "unknown" : "dead";
  };

  const describeProcess = (identity: ProcessIdentity) => {
    const pid = Number(identity.split("-")[0]);
    if (!Number.isSafeInteger(pid)) return "another process";
    return livenessOf(identity) === "unknown" ? `process ${pid} of another container or machine` : `process ${pid}`;
  };

  const acceptsSignals = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch (error) {
      return errorCode(error) === "EPERM";
    }
  };

  /**
   * Returns field 22 of proc_pid_stat(5), in clock ticks since boot, or "ended" for a zombie without running threads, which in a container
   * may never be reaped. The command name before the fields may contain spaces and brackets.
   */
  const startTime = (pid: string): string | undefined => {
    const stat = valueOr(undefined, () => files.readFileSync(`/proc/${pid}/stat`, "latin1"));
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, threads] = [fields?.[0], Number(fields?.[17])];
    return (state === "Z" || state === "X") && threads <= 1 ? "ended" : fields?.[19];
  };

  const bootId = () =>
    valueOr("0", () => files.readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim().replaceAll("-", ""));

  const pidNamespace = () => valueOr("0", () => /\d+/.exec(files.readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0");

  return { ownIdentity, livenessOf, describeProcess };
}

function valueOr<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
