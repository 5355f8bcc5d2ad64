// Prints one file of an image: `node read-file.ts REFERENCE /etc/os-release`. Links and removed files are resolved inside the image, and only
// the layers that the file needs are fetched.
import { openMote } from "@mote/preset";

const [reference, path, dir = "image-cache"] = process.argv.slice(2);
if (reference === undefined || path === undefined)
  throw new TypeError("usage: read-file.ts REFERENCE PATH [CACHE-FOLDER]");

await using mote = await openMote({ dir });
await using files = await mote.files(reference, { platform: "linux/amd64" });
for await (const chunk of files.read(path)) process.stdout.write(chunk);
