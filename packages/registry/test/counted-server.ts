import type { Server, Socket } from "node:net";
import { listenOnLoopback } from "@mote/testbed";

/** Lets a server listen on loopback, and counts its connections, which `close` ends. */
export async function listen<Listening extends Server>(server: Listening) {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  const host = await listenOnLoopback(server);
  return {
    server,
    host,
    sockets,
    close(): Promise<unknown> {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
