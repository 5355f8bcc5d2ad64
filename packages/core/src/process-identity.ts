/**
 * The process that a file belongs to: `pid-start-boot-namespace`, with its start time, boot id and pid namespace. A process id alone is
 * reused, and means nothing in another container or on another machine.
 */
export type ProcessIdentity = string;

/** The form of an identity in the name of a file, as a regular expression. */
export const identityPattern = String.raw`\d+-\d+-[0-9a-f]+-\d+`;

/** `unknown`: in another pid namespace, on another machine, or hidden. Only the age of its files can tell then. */
export type Liveness = "alive" | "dead" | "unknown";

/** What `processIdentities` needs of `node:fs` and `process`. */
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
  /** Tells whether a process runs. A wrong result is possible (a checkpointed process, a forged name) and must only cost time. */
  livenessOf(identity: ProcessIdentity): Liveness;
  /** Describes a process to people, as `process 123`. */
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
    // Without a start time (hidepid in proc(5), no /proc) it may be another process that has the id now.
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
      return error instanceof Error && "code" in error && error.code === "EPERM";
    }
  };

  /**
   * Returns field 22 of proc_pid_stat(5), in clock ticks since boot, or "ended" for a zombie: in a container its parent may never
   * notice. The command name before the fields may hold spaces and brackets. The last thread of a zombie may still run.
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
