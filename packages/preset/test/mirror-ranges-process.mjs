/**
 * Serves a mirror whose blobs are fetched in ranges of a MiB over four connections: `node mirror-ranges-process.mjs ROOT REGISTRY NAME`, where NAME is
 * put before the repositories that it requests. Prints its URL; then the bytes received so far after each chunk, at once, or why ranges ended.
 */
import fs from "node:fs";
import { FileCache } from "@mote/fs";
import { Mirror } from "@mote/mirror";
import { RegistryCache, RegistryClient, RegistryRepository } from "@mote/registry";
import { serve } from "@mote/server";

const [, , root, registry, name] = process.argv;
const connections = 4;
const rangeBytes = 1024 * 1024;
const client = new RegistryClient({ idleTimeoutMs: 2_000, retryDelayMs: 10, minBytesPerSecond: 0 });
const cache = new FileCache(root);
let received = 0;

/** Counts the bytes of a reader. */
function counted(reader) {
  const chunks = async function* () {
    for await (const chunk of reader) {
      received += chunk.byteLength;
      fs.writeSync(1, `${received}\n`);
      yield chunk;
    }
  };
  const close = () => reader.close();
  return { info: reader.info, close, [Symbol.asyncDispose]: close, [Symbol.asyncIterator]: chunks };
}

const upstream = {
  name: "up.example",
  open(path) {
    const location = { registry, repository: `${name}/${path}` };
    const repository = new RegistryRepository(client, location);
    const source = {
      servesRanges: true,
      resolve: repository.resolve.bind(repository),
      manifest: repository.manifest.bind(repository),
      blob: async (...options) => counted(await repository.blob(...options)),
    };
    return { source, blobs: new RegistryCache(client, location), tags: repository.tags.bind(repository) };
  },
};
const mirror = new Mirror({
  upstreams: [upstream],
  cache,
  tags: cache.tags,
  parallelFetches: (source) => ({
    source,
    count: { connections, rangeBytes, received() {}, failed() {} },
    onEnd: (error) => fs.writeSync(1, `${error.code}\n`),
  }),
});
const server = await serve({ source: cache, tags: cache.tags, pullThrough: mirror });
fs.writeSync(1, `${server.url}\n`);
