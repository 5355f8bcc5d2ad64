import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runMote } from "./run-mote.js";

it("a registry is asked through the proxy of the environment", async () => {
  const cache = await mkdtemp(join(tmpdir(), "mote-proxy-"));
  const registry = createServer((_, response) => response.writeHead(418).end()).listen(0, "127.0.0.1");
  const tunnels: (string | undefined)[] = [];
  const proxy = createServer().listen(0, "127.0.0.1");
  await Promise.all([once(registry, "listening"), once(proxy, "listening")]);
  const portOf = (server: typeof proxy) => (server.address() as AddressInfo).port;
  proxy.on("connect", (request, socket: Socket) => {
    tunnels.push(request.url);
    const onward = connect(portOf(registry), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      socket.pipe(onward).pipe(socket);
    });
    for (const one of [socket, onward]) one.on("error", () => {});
  });
  try {
    const ended = await runMote(["pull", "registry.example/a/b:1", "--plain-http", "--cache", cache, "--json"], {
      env: { HTTP_PROXY: `http://127.0.0.1:${portOf(proxy)}` },
    });
    expect(ended.stdout + ended.stderr).toContain("418");
    expect(tunnels).toContain("registry.example:80");
  } finally {
    for (const server of [proxy, registry]) server.close();
    await rm(cache, { recursive: true });
  }
});
