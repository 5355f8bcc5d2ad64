// Embeds mote: `node embed.ts docker://HOST/NAME:TAG` lists the layers of an image. The second call fetches nothing, and works even if the
// registry cannot be reached.
import { MoteError, parseManifest, readMote } from "@mote/core";
import { openMote } from "@mote/preset";

const [reference, dir = "image-cache"] = process.argv.slice(2);
if (reference === undefined) throw new TypeError("usage: embed.ts REFERENCE [CACHE-FOLDER]");

await using mote = await openMote({ dir, maxSize: 10e9 });
try {
  const report = await mote.pull(reference, undefined, {
    platform: "linux/amd64",
    onEvent: (event) => {
      if (event.type === "progress")
        console.error(`${event.digest.slice(0, 19)} ${event.bytes} of ${event.size} bytes`);
      if (event.type === "warning") console.error(event.message);
    },
  });
  console.error(`${report.fetched.bytes} bytes fetched, ${report.hit.bytes} bytes were in the cache`);

  for (const { descriptor } of report.refs) {
    const bytes = await readMote(mote.cache, descriptor.digest, { maxBytes: descriptor.size });
    const manifest = parseManifest(bytes, descriptor.mediaType);
    for (const layer of "layers" in manifest ? manifest.layers : [])
      console.log(`${layer.size}\t${mote.cache.moteRef(layer.digest)}`);
  }
} catch (error) {
  if (!MoteError.isInstance(error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
