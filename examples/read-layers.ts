// Lists what each layer of an image adds or removes: `node read-layers.ts REFERENCE`. The entries are those of the uncompressed tar.
import { openMote } from "@mote/preset";

const [reference, dir = "image-cache"] = process.argv.slice(2);
if (reference === undefined) throw new TypeError("usage: read-layers.ts REFERENCE [CACHE-FOLDER]");

const platform = "linux/amd64";
await using mote = await openMote({ dir });
await mote.pull(reference, undefined, { platform });
const image = await mote.image(reference, { platform });
for (const layer of image.layers) {
  console.log(layer.descriptor.digest);
  // A file name can have any characters, so it is escaped.
  for await (const { name, type } of layer.entries()) console.log(`  ${type} ${JSON.stringify(name)}`);
}
