import { once } from "node:events";
import net, { type Socket } from "node:net";

export interface DelayingProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  stop(): Promise<void>;
}

/**
 * Starts a proxy that simulates a distant server: it delays each request by `delayMs`, and does not delay responses. Requests do not
 * delay each other.
 */
export async function startDelayingProxy(
  target: string,
  { delayMs }: { readonly delayMs: number },
): Promise<DelayingProxy> {
  const [host = "", port = ""] = target.split(":");
  const sockets = new Set<Socket>();
  const server = net.createServer((client) => {
    const upstream = net.connect({ host, port: Number(port) });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true).once("close", () => sockets.delete(socket));
    }
    client.on("error", () => upstream.destroy()).once("close", () => upstream.destroy());
    // The client still receives what the server sent before it closed.
    upstream.on("error", () => client.destroy());
    client.on("data", (bytes) => setTimeout(() => upstream.write(bytes), delayMs));
    client.on("end", () => setTimeout(() => upstream.end(), delayMs));
    upstream.pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    host: `127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
