import type { Socket } from "node:net";
import type { Server, TLSSocket } from "node:tls";

/** The connections whose TLS handshake is not complete, which the HTTP server does not know yet. */
export class Handshakes {
  readonly #sockets = new Map<string, Socket>();

  /** Closes new connections if `most` are waiting for their handshake. */
  watch(server: Server, most: number): void {
    server.on("connection", (socket: Socket) => {
      const peer = peerOf(socket);
      if (this.#sockets.size >= most) socket.destroy();
      else this.#sockets.set(peer, socket);
      socket.once("close", () => {
        if (this.#sockets.get(peer) === socket) this.#sockets.delete(peer);
      });
    });
    server.on("secureConnection", (socket: TLSSocket) => this.#sockets.delete(peerOf(socket)));
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}

/** The same for a TLS socket and the socket beneath it. */
function peerOf({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">): string {
  return `${remoteAddress} ${remotePort}`;
}
