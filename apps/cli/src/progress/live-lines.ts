import { fit, textWidth, toTerminal } from "../output/terminal-text.js";

/** The part of a terminal that is needed. */
interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const toFirstColumn = "\r";
const clearBelow = "\u001b[J";
const up = (rows: number) => (rows > 0 ? `\u001b[${rows}A` : "");

/** Lines at the bottom of a terminal that are redrawn. Each is cut to the width, never wrapped. */
export class LiveLines {
  readonly #terminal: Terminal;
  #drawn: readonly string[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get columns(): number {
    // A terminal of unknown size reports 0.
    return this.#terminal.columns || 80;
  }

  show(lines: readonly string[]): void {
    const rows = this.#terminal.rows || 24;
    // Lines above the screen cannot be erased. The last lines are the most important ones.
    const fitting = lines.slice(-Math.max(1, rows - 1)).map((line) => fit(line, this.columns - 1));
    this.#terminal.write(`${this.#erasing()}${fitting.map(toTerminal).join("\n")}`);
    this.#drawn = fitting;
  }

  /** Writes a permanent line above. */
  above(line: string): void {
    const drawn = this.#drawn;
    this.#terminal.write(`${this.#erasing()}${toTerminal(line)}\n`);
    this.#drawn = [];
    if (drawn.length > 0) this.show(drawn);
  }

  /** Erases the lines. Idempotent. */
  clear(): void {
    if (this.#drawn.length > 0) this.#terminal.write(this.#erasing());
    this.#drawn = [];
  }

  /** Returns the sequence that erases the lines. A terminal that became narrower has wrapped them onto more rows. */
  #erasing(): string {
    if (this.#drawn.length === 0) return "";
    const rows = this.#drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(textWidth(line) / this.columns)), 0);
    return `${toFirstColumn}${up(rows - 1)}${clearBelow}`;
  }
}
