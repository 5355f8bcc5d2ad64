import cluster, { type Worker } from "node:cluster";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Context } from "../context.js";
import { openExchangeHub } from "../wire.js";
import type { ServePlan } from "./serve-plan.js";

/** The pause before a process that ended is started again: doubled each time, up to the maximum. */
const firstPauseMs = 500;
const maxPauseMs = 30_000;
/** A process that has served for this long has not failed at once. */
const stableMs = 60_000;

/** No system assigns these to a socket that asks for any, so that none gets the port before the first worker. */
const [firstPort, endPort] = [20_000, 32_000];
const portAttempts = 20;

/** What the parent tells its workers. Signals would reach them twice: a terminal and systemd send them to all processes. */
export type Order = "stop" | "reload";

/** What a worker tells its parent once it serves. */
interface Ready {
  readonly serves: string;
}

/** Serves with several processes on one port until this one is interrupted. Processes that end are started again. */
export async function serveWithWorkers({ out, dir, signal }: Context, plan: ServePlan): Promise<void> {
  const hub = await openExchangeHub();
  const pool = new WorkerPool(
    (worker) => hub.connect(worker),
    (message) => out.warn(message),
  );
  if (plan.isReloadable) process.on("SIGHUP", () => pool.tell("reload"));
  const stop = () => pool.stop();
  signal.addEventListener("abort", stop);
  // A second signal ends this process, and the workers with it.
  process.on("exit", () => pool.kill());
  if (plan.server.port === 0) {
    // Otherwise a process that starts while no other one runs would get another port.
    cluster.setupPrimary({ args: [...process.argv.slice(2), `--port=${await freePort(plan.server.host)}`] });
  }
  // The first alone: if it cannot start, its error is reported once.
  const url = await pool.start();
  if (url !== undefined) await Promise.all(Array.from({ length: plan.workers - 1 }, () => pool.start()));
  if (url !== undefined && !signal.aborted) {
    out.result({ url, dir }, [`${url} serves ${dir}`]);
    out.note("Press Ctrl-C to stop.");
  }
  await pool.ended;
  if (pool.failure !== undefined) process.exitCode = pool.failure;
}

class WorkerPool {
  readonly #connect: (worker: Worker) => void;
  readonly #warn: (message: string) => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Resolves when all processes have ended and none will be started. */
  readonly ended: Promise<void>;
  /** The exit status of a process that could not start at all. */
  failure: number | undefined;
  #end: () => void = () => {};
  #isStopping = false;
  #pauseMs = firstPauseMs;

  constructor(connect: (worker: Worker) => void, warn: (message: string) => void) {
    this.#connect = connect;
    this.#warn = warn;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Starts a process. Resolves to its URL, or to undefined if it ended before it served; then the pool stops. */
  async start(): Promise<string | undefined> {
    const { url, exit } = this.#fork();
    const first = await Promise.race([url, exit]);
    if (typeof first === "string") return first;
    if (!this.#isStopping) this.failure = first || 1;
    this.stop();
    return undefined;
  }

  /** Lets all processes end. */
  stop(): void {
    this.#isStopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.tell("stop");
    this.#settle();
  }

  kill(): void {
    for (const worker of workers()) worker.process.kill("SIGKILL");
  }

  tell(order: Order): void {
    for (const worker of workers()) if (worker.isConnected()) worker.send({ order });
  }

  #fork(): { readonly url: Promise<string>; readonly exit: Promise<number> } {
    const worker = cluster.fork();
    const startedMs = performance.now();
    this.#connect(worker);
    let serves = false;
    const url = new Promise<string>((resolve) => {
      worker.on("message", (message: Partial<Ready>) => {
        if (typeof message.serves !== "string") return;
        serves = true;
        resolve(message.serves);
        if (this.#isStopping) this.tell("stop");
      });
    });
    const exit = new Promise<number>((resolve) => {
      worker.once("exit", (status, signal) => {
        resolve(status ?? 1);
        if (serves && !this.#isStopping) this.#restart(signal ?? `status ${status}`, performance.now() - startedMs);
        this.#settle();
      });
    });
    return { url, exit };
  }

  #restart(reason: string, ageMs: number): void {
    const pauseMs = ageMs >= stableMs ? firstPauseMs : this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, maxPauseMs);
    this.#warn(`a worker ended (${reason}); it is started again in ${pauseMs / 1000} s`);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const { url, exit } = this.#fork();
      // One that does not serve yet is not restarted by its own exit.
      void Promise.race([url, exit]).then((first) => {
        if (typeof first === "number" && !this.#isStopping) this.#restart(`status ${first}`, 0);
      });
    }, pauseMs);
    this.#timers.add(timer);
  }

  #settle(): void {
    if (this.#isStopping && workers().length === 0) this.#end();
  }
}

/** Returns a port that no process listens on. Returns 0 if there is an error, which the worker will report. */
async function freePort(host: string): Promise<number> {
  for (let attempt = 0; attempt < portAttempts; attempt++) {
    const port = randomInt(firstPort, endPort);
    if (await isFree(host, port)) return port;
  }
  return 0;
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ host, port });
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

function workers(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
}
