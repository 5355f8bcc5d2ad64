import type { ChildProcess } from "node:child_process";
import { release } from "node:os";

/** Syncs for each line of input and prints the result; exits with this process, which closes its input. */
const script = 'while read -r _; do if sync -f "$0" 2>/dev/null; then echo synced; else echo failed; fi; done';
/** A slower sync probably waited for other programs' data: for a while, files are then synced one by one. */
const slowMs = 250;
const pauseMs = 30_000;

/** Calls syncfs(2), one sync for all files of a file system, by `sync` of GNU coreutils in a long-lived shell: Node has no such call. */
export class FileSystemSync {
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #onResult: ((text: string) => void) | undefined;
  #unusable = !reportsErrors();
  #pausedUntil = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get isUsable(): boolean {
    return !this.#unusable && this.#onResult === undefined && performance.now() >= this.#pausedUntil;
  }

  /** @returns false if it failed: sync the files one by one to get the error */
  async run(): Promise<boolean> {
    const began = performance.now();
    this.#child ??= this.#start();
    const child = this.#child;
    const result = await new Promise<string>((resolve) => {
      this.#onResult = resolve;
      child.ref();
      child.stdin?.write("\n");
    });
    this.#onResult = undefined;
    child.unref();
    if (result === "synced" && performance.now() - began < slowMs) return true;
    this.#pausedUntil = performance.now() + pauseMs;
    return result === "synced";
  }

  end(): void {
    this.#child?.stdin?.end();
    this.#child = undefined;
  }

  #start(): ChildProcess {
    // Not imported: loading it takes longer than most of what a cache is opened for, and most of that syncs nothing.
    const { spawn } = process.getBuiltinModule("node:child_process");
    const { createInterface } = process.getBuiltinModule("node:readline");
    const child = spawn("/bin/sh", ["-c", script, this.#folder], { stdio: ["pipe", "pipe", "ignore"], cwd: "/" });
    const fail = () => {
      this.#unusable = true;
      this.#onResult?.("failed");
    };
    child.on("error", fail);
    child.on("exit", fail);
    // These are missing if no descriptor was available; the error event follows.
    const { stdin, stdout }: ChildProcess = child;
    stdin?.on("error", fail);
    if (stdout) createInterface(stdout).on("line", (line) => this.#onResult?.(line));
    for (const stream of [stdin, stdout])
      if (stream && "unref" in stream && typeof stream.unref === "function") stream.unref();
    return child;
  }
}

/** syncfs(2) reports failed writes since Linux 5.8. */
function reportsErrors(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return process.platform === "linux" && (major > 5 || (major === 5 && minor >= 8));
}
