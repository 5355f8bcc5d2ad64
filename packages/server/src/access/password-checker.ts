import { createRequire } from "node:module";
import type { Worker } from "node:worker_threads";
import { ErrorResponse } from "../routing/response.js";
import { checkPasswords, type PasswordAnswer, type PasswordQuestion } from "./password-worker.js";

/** The maximum number of passwords that wait for their check. With a cost of 10, a check takes about 70 ms. */
const maxWaiting = 32;
/** `Retry-After` if more wait, in seconds. */
const retryAfter = "2";

interface Waiting {
  readonly resolve: (isMatch: boolean) => void;
  readonly reject: (error: Error) => void;
}

/** Compares passwords with bcrypt hashes, one at a time, in a thread of its own: bcryptjs blocks its thread for 100 ms at a time. */
export class PasswordChecker {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;

  /** @throws ErrorResponse 503 if too many checks wait */
  check(password: string, hash: string): Promise<boolean> {
    if (this.#waiting.size >= maxWaiting) {
      const message = `too many logins are being checked; try again in ${retryAfter} seconds`;
      throw new ErrorResponse(503, "TOOMANYREQUESTS", message, { headers: { "retry-after": retryAfter } });
    }
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker ??= this.#start();
      this.#worker.postMessage({ id, password, hash } satisfies PasswordQuestion);
    });
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const { Worker } = process.getBuiltinModule("node:worker_threads");
    const bcrypt = createRequire(import.meta.url).resolve("bcryptjs");
    const script = `(${checkPasswords})(require("node:worker_threads"), require(${JSON.stringify(bcrypt)}))`;
    const worker = new Worker(script, { eval: true, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 32 } });
    worker.unref();
    worker.on("message", ({ id, isMatch }: PasswordAnswer) => {
      this.#waiting.get(id)?.resolve(isMatch);
      this.#waiting.delete(id);
    });
    const end = (cause?: unknown) => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const { reject } of this.#waiting.values())
        reject(new Error("the thread that checks passwords ended", { cause }));
      this.#waiting.clear();
    };
    worker.on("error", end);
    worker.on("exit", () => end());
    return worker;
  }
}
