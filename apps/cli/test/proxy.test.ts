import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listenOnLoopback } from "@mote/testbed";
import { expect, it } from "vitest";
import { runMote } from "./run-mote.js";

it("a plain HTTP registry is contacted through the proxy of the environment without a tunnel", async () => {
  const cache = await mkdtemp(join(tmpdir(), "mote-proxy-"));
  const asked: (string | undefined)[] = [];
  const proxy = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(418).end();
  });
  proxy.on("connect", (_, socket: Socket) => socket.end("HTTP/1.1 403 Forbidden\r\n\r\n"));
  const address = await listenOnLoopback(proxy);
  const pull = (...args: string[]) =>
    runMote(["pull", "registry.example/a/b:1", "--cache", cache, "--json", ...args], {
      env: { HTTP_PROXY: address, HTTPS_PROXY: `http://ann:s3cret@${address}` },
    });
  try {
    const plain = await pull("--plain-http");
    expect(plain.stdout + plain.stderr).toContain("418");
    expect(asked.every((url) => url?.startsWith("http://registry.example/v2/"))).toBe(true);
    const secure = await pull();
    expect(secure.stderr).toContain(`the proxy ${address} (HTTPS_PROXY) refuses to connect to registry.example [403]`);
    expect(secure.stdout + secure.stderr).not.toContain("s3cret");
  } finally {
    proxy.close();
    await rm(cache, { recursive: true });
  }
});
