import { command } from "../input/command.js";
import { afterInterruptedMove, movingOptions } from "./moving-options.js";

export const push = command({
  name: "push",
  group: "Move",
  summary: "move a local image, or plain files and folders, through the cache to a registry",
  description: [
    "Sources without a transport are files and folders, each as PATH or PATH:MEDIATYPE, and become the layers of one artifact. The same files give the same digests.",
  ],
  arguments: {
    src: { many: true, summary: "an image, such as oci:DIR:TAG; or files and folders", completes: "file" },
    dest: { summary: "where it goes, such as docker://HOST/NAME:TAG", completes: "reference" },
  },
  options: {
    ...movingOptions,
    "artifact-type": { value: "TYPE", summary: "of files: what the artifact is, such as application/vnd.acme.model" },
    annotation: { value: "KEY=VALUE", many: true, summary: "of files: a note in the manifest; may be repeated" },
  },
  examples: [
    {
      line: "mote push oci:build/app:1.2 docker://ghcr.io/acme/app:1.2",
      does: "a layout to a registry; blobs that it has elsewhere are mounted, not sent",
    },
    {
      line: "mote push model.bin data/ notes.md:text/markdown ghcr.io/acme/model:7b --artifact-type application/vnd.acme.model",
      does: "files and a folder, as one artifact",
    },
  ],
  reachesRegistries: true,
  afterInterrupt: afterInterruptedMove,
  run: async (context, { src, dest }, options) =>
    (await import("../commands/push.js")).push(context, src, dest, options),
});
