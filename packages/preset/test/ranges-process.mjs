/**
 * Fetches a blob in ranges into a cache: `node ranges-process.mjs ROOT IMAGE DIGEST SIZE CONNECTIONS RANGE_BYTES`. Prints the bytes received so far
 * after each chunk, at once, and at the end `done` or the code of the error.
 */
import fs from "node:fs";
import { fetchIntoCache, parseDigest } from "@mote/core";
import { FileCache } from "@mote/fs";
import { RegistryClient, RegistryRepository } from "@mote/registry";

const [, , root, image, digest, size, connections, rangeBytes] = process.argv;
const [registry, ...path] = image.split("/");
const cache = new FileCache(root);
const client = new RegistryClient();
const source = new RegistryRepository(client, { registry, repository: path.join("/") });
const count = { connections: Number(connections), rangeBytes: Number(rangeBytes), received() {}, failed() {} };
let received = 0;
try {
  await fetchIntoCache({
    cache,
    descriptor: { digest: parseDigest(digest), size: Number(size), mediaType: "application/octet-stream" },
    parallel: { source, count, onEnd() {} },
    sources: async function* () {
      yield source;
    },
    signal: new AbortController().signal,
    onEvent: undefined,
    onSwitch() {},
    begin: () => undefined,
    onBytes() {},
    onReceived(bytes) {
      received += bytes;
      fs.writeSync(1, `${received}\n`);
    },
  });
  fs.writeSync(1, "done\n");
} catch (error) {
  fs.writeSync(1, `${error.code ?? error.cause?.code ?? error}\n`);
}
const left = fs.existsSync(`${root}/.mote/ingest`) ? fs.readdirSync(`${root}/.mote/ingest`) : [];
fs.writeSync(1, `${JSON.stringify(left)}\n`);
await client.close();
