// Reads one file of an image without unpacking the image: `node read-file.ts REFERENCE etc/os-release` prints it.
import { openMote } from "@mote/preset";

const [reference, path, dir = "image-cache"] = process.argv.slice(2);
if (reference === undefined || path === undefined)
  throw new TypeError("usage: read-file.ts REFERENCE PATH [CACHE-FOLDER]");

await using mote = await openMote({ dir });
await mote.pull(reference, undefined, { platform: "linux/amd64" });
const image = await mote.image(reference, { platform: "linux/amd64" });
if (!(await print(path))) process.exitCode = 1;

/** Prints the file in the uppermost layer that has it, unless a whiteout removes it (image-spec, layer.md, "Whiteouts"). */
async function print(wanted: string): Promise<boolean> {
  const whiteout = wanted.replace(/[^/]*$/, ".wh.$&");
  for (const layer of [...image.layers].reverse()) {
    for await (const { name, type, content } of layer.entries()) {
      const file = name.replace(/^\.?\//, "");
      if (file === whiteout) return false;
      if (file !== wanted || type !== "file") continue;
      for await (const chunk of content) process.stdout.write(chunk);
      return true;
    }
  }
  return false;
}
