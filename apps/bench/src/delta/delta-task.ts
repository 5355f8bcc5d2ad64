import { createReadStream } from "node:fs";
import { dirname } from "node:path";
import { createGzip } from "node:zlib";
import { createDigester } from "@mote/core";
import { applyTarDiff, makeTarDiff, OldFiles } from "@mote/delta";
import { uncompressedBlob } from "@mote/layout";
import type { MadeDelta } from "./delta-suite.js";

/** Makes a delta from a tar to another, applies it, and prints what it cost. Run in a process of its own. */
const [oldTar = "", newTar = ""] = process.argv.slice(2);
const content = (path: string) => createReadStream(path, { highWaterMark: 256 * 1024 });
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

await using old = await OldFiles.open([() => content(oldTar)], { dir: dirname(oldTar) });
const startSeconds = cpuSeconds();
const diff: Uint8Array[] = [];
for await (const chunk of makeTarDiff(() => content(newTar), old)) diff.push(chunk);
const makeSeconds = cpuSeconds() - startSeconds;
const peakMegabytes = process.resourceUsage().maxRSS / 1024;

const wanted = createDigester();
let tarBytes = 0;
let layerBytes = 0;
const gzip = content(newTar).on("data", (chunk) => {
  wanted.update(chunk as Buffer);
  tarBytes += chunk.length;
});
for await (const chunk of gzip.pipe(createGzip())) layerBytes += chunk.length;

async function* chunks() {
  yield* diff;
}
const made = createDigester();
const uncompress = (zstd: AsyncIterable<Uint8Array>) => uncompressedBlob(zstd, "the delta");
const applyStart = cpuSeconds();
for await (const chunk of applyTarDiff(chunks(), old, { maxBytes: tarBytes, uncompress })) made.update(chunk);
if (made.digest() !== wanted.digest()) throw new Error("the delta made other bytes");
const measured: MadeDelta = {
  percent: (100 * diff.reduce((sum, { byteLength }) => sum + byteLength, 0)) / layerBytes,
  makeSecondsPer6MB: (makeSeconds * 6e6) / tarBytes,
  applySecondsPer6MB: ((cpuSeconds() - applyStart) * 6e6) / tarBytes,
  peakMegabytes,
};
console.log(JSON.stringify(measured));
