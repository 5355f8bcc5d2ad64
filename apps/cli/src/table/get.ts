import { command } from "../input/command.js";
import { platforms } from "./moving-options.js";

export const get = command({
  name: "get",
  group: "Transfer",
  summary: "Get files of an image, from any of its layers",
  description: [
    "One file is written to stdout. With --output DIR, files and directories are written into DIR, each under the last name of its PATH. With --output -, one file is written to stdout as it is, and a directory or several paths as a tar with modes, owners and times.",
    "Symbolic links and whiteouts are resolved inside the image, including those in PATH. Layers are fetched into the cache from the top, and only as many as are needed.",
    "Files in DIR belong to you, without special permission bits. Devices, and links that would lead out of DIR, are skipped with a warning. `mote pull IMAGE --unpack DIR/` writes all files.",
  ],
  arguments: {
    image: { summary: "a reference, or a digest of cached content", completes: "reference" },
    path: { many: true, optional: true, summary: "a path in the image; required unless --list is given" },
  },
  options: {
    output: {
      value: "DIR|-",
      short: "o",
      summary: "write into this directory, or to stdout",
      completes: "folder",
    },
    list: { summary: "list the files of the image, or those below the paths" },
    platform: {
      value: "OS[(VERSION)]/ARCH[/VARIANT]",
      summary: "the image of an index to use (default: the only one, or Linux on this machine's architecture)",
      completes: platforms,
    },
    offline: { summary: "contact no registry: use the cached image" },
    force: { summary: "overwrite existing files that differ" },
  },
  examples: [
    { line: "mote get docker.io/library/alpine:3.20 /etc/os-release", does: "Print a file" },
    {
      line: "mote get ghcr.io/acme/app:1.2 /app /etc/app.conf --output ./from-image/",
      does: "Copy files out of an image",
    },
    {
      line: "mote get oci:build/app:1.2 /usr/share --output - | tar -t",
      does: "List a directory of an image as a tar",
    },
    { line: "mote get docker.io/library/alpine:3.20 --list /etc", does: "List the files below a directory" },
  ],
  reachesRegistries: true,
  afterInterrupt: "fetched layers are kept; run the command again to resume",
  run: async (context, { image, path }, options) =>
    (await import("../commands/get.js")).get(context, image, path ?? [], options),
});
