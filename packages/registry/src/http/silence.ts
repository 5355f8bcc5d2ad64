import type { Socket } from "node:net";

/** All of them have to pass without a byte. */
const parts = 4;

/** Measures a silence in parts: what came while this process was busy or suspended is read after a late timer, which so says nothing of the host. */
export class Silence {
  /** Milliseconds: the timeout to set on the socket. 0: none. */
  readonly partMs: number;
  #silent = 0;
  #bytes = -1;

  constructor(idleMs: number) {
    this.partMs = Math.ceil(idleMs / parts);
  }

  /** Tells whether the silence is over its limit; to be called at each timeout of the socket. */
  isTooLong(socket: Pick<Socket, "bytesRead" | "bytesWritten">): boolean {
    const bytes = socket.bytesRead + socket.bytesWritten;
    this.#silent = bytes === this.#bytes ? this.#silent + 1 : 1;
    this.#bytes = bytes;
    return this.#silent >= parts;
  }

  /** Begins again, as the body is not read here. */
  restart(): void {
    this.#silent = 0;
  }
}
