import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { createServer, type Server } from "node:net";

/** Ports that no system assigns to a socket that asks for any: a part of them for each process that runs tests beside others. */
const firstPort = 20_000;
const portsPerPart = 1000;
const parts = 12;
const part = Number(process.env.VITEST_POOL_ID ?? process.pid) % parts;
let next = process.pid % portsPerPart;

/**
 * Lets a server listen on 127.0.0.1 and returns `127.0.0.1:PORT`. Unlike a port that the system chooses, it is not soon assigned to a server
 * of another test: a test that expects nothing to listen there is right.
 */
export async function listenOnLoopback(server: Server): Promise<string> {
  for (let attempt = 0; attempt < portsPerPart; attempt++) {
    const port = firstPort + part * portsPerPart + next;
    next = (next + 1) % portsPerPart;
    server.listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
      return `127.0.0.1:${port}`;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    }
  }
  throw new Error("no port of 127.0.0.1 is free");
}

/** Closes a server and all its connections. */
export async function closeServer(server: HttpServer): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, "close");
}

/** Returns a port of loopback for another process to listen at, chosen as by {@link listenOnLoopback}. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const [, port] = (await listenOnLoopback(server)).split(":");
  server.close();
  await once(server, "close");
  return Number(port);
}
