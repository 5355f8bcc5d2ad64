import type threads from "node:worker_threads";

export interface PasswordQuestion {
  readonly id: number;
  readonly password: string;
  /** A bcrypt hash. */
  readonly hash: string;
}

export interface PasswordAnswer {
  readonly id: number;
  readonly isMatch: boolean;
}

interface Bcrypt {
  compareSync(password: string, hash: string): boolean;
}

/** Runs in a worker. It is started from this function's text, so it must not refer to anything outside. */
export function checkPasswords({ parentPort }: typeof threads, { compareSync }: Bcrypt): void {
  parentPort?.on("message", ({ id, password, hash }: PasswordQuestion) => {
    const answer: PasswordAnswer = { id, isMatch: compareSync(password, hash) };
    parentPort.postMessage(answer);
  });
}
