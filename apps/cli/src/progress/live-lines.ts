import { fit, textWidth, toTerminal } from "../output/terminal-text.js";

/** What is needed of a terminal. */
interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const toFirstColumn = "\r";
const clearBelow = "\u001b[J";
const up = (rows: number) => (rows > 0 ? `\u001b[${rows}A` : "");

/** Lines at the bottom of a terminal that are drawn again and again. Each is cut to the width, never wrapped. */
export class LiveLines {
  readonly #terminal: Terminal;
  #drawn: readonly string[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get columns(): number {
    return this.#terminal.columns ?? 80;
  }

  show(lines: readonly string[]): void {
    const { rows = 24 } = this.#terminal;
    // What does not fit on the screen cannot be taken back: the last lines say most.
    const fitting = lines.slice(-Math.max(1, rows - 1)).map((line) => fit(line, this.columns - 1));
    this.#terminal.write(`${this.#erasing()}${fitting.map(toTerminal).join("\n")}`);
    this.#drawn = fitting;
  }

  /** Writes a line that stays, above. */
  above(line: string): void {
    const drawn = this.#drawn;
    this.#terminal.write(`${this.#erasing()}${toTerminal(line)}\n`);
    this.#drawn = [];
    if (drawn.length > 0) this.show(drawn);
  }

  /** Takes the lines away. Harmless when repeated. */
  clear(): void {
    if (this.#drawn.length > 0) this.#terminal.write(this.#erasing());
    this.#drawn = [];
  }

  /** A terminal that became narrower has broken our lines: they take more rows than they were. */
  #erasing(): string {
    if (this.#drawn.length === 0) return "";
    const rows = this.#drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(textWidth(line) / this.columns)), 0);
    return `${toFirstColumn}${up(rows - 1)}${clearBelow}`;
  }
}
