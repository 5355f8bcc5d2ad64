import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import type { BlobStore } from "../blobs/blob-store.js";
import { listFolder } from "../disk/file-calls.js";
import { rowsInPage, type WalkedPage, type WalkShare, walkShare } from "./walk-worker.js";

const mostWorkers = 4;
const workerMegabytes = 16;

/** Returns the names in a folder, or undefined if there are more than `most`. */
export async function namesUpTo(
  store: BlobStore,
  folder: string,
  most: number,
  signal: AbortSignal | undefined,
): Promise<string[] | undefined> {
  const names: string[] = [];
  for await (const { name } of await listFolder(folder)) {
    signal?.throwIfAborted();
    if (names.push(name) > most) return undefined;
    const turn = store.yields.yieldIfDue();
    if (turn !== undefined) await turn;
  }
  return names;
}

/** Returns how many workers share a walk, one per core; none if there is only one core. */
export function walkersAtHand(): number {
  const cores = availableParallelism();
  return cores < 2 ? 0 : Math.min(cores, mostWorkers);
}

/** Stats a folder's regular files with several threads. @throws a worker's error; then pages may be missing */
export async function walkTogether(
  folder: string,
  width: number,
  onPage: (page: WalkedPage) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const shares = walkersAtHand();
  const workers: Worker[] = [];
  try {
    const ends = Array.from({ length: shares }, (_, share) => {
      const worker = startWorker({ folder, share, shares, width, pageLength: rowsInPage });
      workers.push(worker);
      return endOf(worker, onPage, signal);
    });
    await Promise.all(ends);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function startWorker(workerData: WalkShare): Worker {
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  return new Worker(`(${walkShare})(require("node:fs"), require("node:worker_threads"))`, {
    eval: true,
    // A walk needs none of the process's own flags, which may load code slowly.
    execArgv: [],
    workerData,
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: workerMegabytes },
  });
}

async function endOf(
  worker: Worker,
  onPage: (page: WalkedPage) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const stop = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      worker.on("message", (page: WalkedPage) => {
        try {
          onPage(page);
        } catch (error) {
          reject(error);
        }
      });
      worker.on("error", reject);
      worker.on("exit", (code) => {
        if (code === 0) resolve();
        else reject(new Error(`a worker ended with code ${code}`));
      });
      signal?.addEventListener("abort", () => reject(signal.reason), { signal: stop.signal });
    });
  } finally {
    stop.abort();
  }
}
