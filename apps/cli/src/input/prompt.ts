import type { Interface } from "node:readline/promises";
import { Writable } from "node:stream";
import { escapeText } from "../output/terminal-text.js";

/** Prompts on stderr. The terminal does not echo while it is open, to hide input typed ahead of a hidden prompt. */
export class Prompt implements Disposable {
  readonly #lines: Interface;
  readonly #signal: AbortSignal;
  #isHidden = false;

  constructor({ signal }: { readonly signal: AbortSignal }) {
    const ended = new AbortController();
    const output = new Writable({
      write: (chunk, _encoding, done) => (this.#isHidden ? done() : process.stderr.write(chunk, done)),
    });
    // Loaded only here: an import would slow down the start of every command.
    const { createInterface } = process.getBuiltinModule("node:readline/promises");
    this.#lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
    // Ctrl-C and Ctrl-D arrive as keys.
    this.#lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
    this.#lines.once("close", () => ended.abort(new Error("unexpected end of input")));
    this.#signal = AbortSignal.any([signal, ended.signal]);
  }

  async ask(question: string): Promise<string> {
    return (await this.#question(escapeText(question))).trim();
  }

  /** Prompts without showing the input. */
  async askHidden(question: string): Promise<string> {
    process.stderr.write(escapeText(question));
    this.#isHidden = true;
    try {
      return await this.#question("");
    } finally {
      this.#isHidden = false;
      process.stderr.write("\n");
    }
  }

  [Symbol.dispose](): void {
    this.#lines.close();
  }

  async #question(question: string): Promise<string> {
    try {
      return await this.#lines.question(question, { signal: this.#signal });
    } catch (error) {
      throw this.#signal.aborted ? this.#signal.reason : error;
    }
  }
}
