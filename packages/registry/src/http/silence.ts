import type { Socket } from "node:net";

/** The parts of an idle timeout. All must pass without a byte. */
const parts = 4;

/** Measures an idle timeout in parts: data that arrived while this process was busy or suspended is read after a late timer. */
export class Silence {
  /** Milliseconds: the socket's timeout. 0: none. */
  readonly partMs: number;
  #silent = 0;
  #bytes = -1;

  constructor(idleMs: number) {
    this.partMs = Math.ceil(idleMs / parts);
  }

  /** Returns whether the idle limit is exceeded; called at each timeout of the socket. */
  isTooLong(socket: Pick<Socket, "bytesRead" | "bytesWritten">): boolean {
    const bytes = socket.bytesRead + socket.bytesWritten;
    this.#silent = bytes === this.#bytes ? this.#silent + 1 : 1;
    this.#bytes = bytes;
    return this.#silent >= parts;
  }

  /** Restarts, as the body is not being read. */
  restart(): void {
    this.#silent = 0;
  }
}
