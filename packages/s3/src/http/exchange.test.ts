import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Connections } from "./exchange.js";

let connections = 0;
const long = new Uint8Array(8 * 1024 * 1024);
const server = createServer((request, response) => {
  request.resume();
  if (request.url === "/long") response.writeHead(200, { "content-length": long.byteLength });
  else if (request.url === "/none") response.writeHead(204);
  else if (request.url === "/absent") response.writeHead(404, { "content-length": 6 });
  else response.writeHead(200, { "content-length": 0 });
  if (request.method === "HEAD") response.end();
  else if (request.url === "/long") response.end(long);
  else response.end(request.url === "/absent" ? "absent" : undefined);
}).on("connection", () => connections++);

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

it("a connection is used again after a response without a body or with a short one was discarded, not after a long one", async () => {
  const client = new Connections(10_000);
  const send = async (method: string, path: string) => {
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
    const payload = method === "PUT" ? { payload: { bytes: new Uint8Array(10) } } : {};
    (await client.exchange({ method, url, headers: {}, ...payload })).discard();
    // The response ends in this turn, and the connection is free in the next one.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    return connections;
  };
  const used = [];
  for (const path of ["/empty", "/long", "/absent"]) used.push(await send("HEAD", path));
  used.push(await send("PUT", "/empty"), await send("DELETE", "/none"), await send("GET", "/absent"));
  expect(used).toEqual([1, 1, 1, 1, 1, 1]);
  expect([await send("GET", "/long"), await send("HEAD", "/empty")]).toEqual([1, 2]);
  client.close();
});
