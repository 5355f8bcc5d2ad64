import { command } from "../input/command.js";
import { afterInterruptedMove, movingOptions } from "./moving-options.js";

export const push = command({
  name: "push",
  group: "Transfer",
  summary: "Push a local image, or files and directories, through the cache",
  description: [
    "A SRC without a transport is a file or directory, given as PATH or PATH:MEDIATYPE; all of them become the layers of one artifact. The same files always produce the same digests.",
  ],
  arguments: {
    src: { many: true, summary: "an image, such as oci:DIR:TAG, or files and directories", completes: "file" },
    dest: { summary: "the destination, such as docker://HOST/NAME:TAG", completes: "reference" },
  },
  options: {
    ...movingOptions,
    "artifact-type": {
      value: "TYPE",
      summary: "for files: the type of the artifact, such as application/vnd.acme.model",
    },
    annotation: { value: "KEY=VALUE", many: true, summary: "for files: add an annotation to the manifest; repeatable" },
  },
  examples: [
    {
      line: "mote push oci:build/app:1.2 docker://ghcr.io/acme/app:1.2",
      does: "Push an OCI layout; blobs that other repositories of the registry have are mounted",
    },
    {
      line: "mote push model.bin data/ notes.md:text/markdown ghcr.io/acme/model:7b --artifact-type application/vnd.acme.model",
      does: "Push files and a directory as one artifact",
    },
  ],
  reachesRegistries: true,
  afterInterrupt: afterInterruptedMove,
  run: async (context, { src, dest }, options) =>
    (await import("../commands/push.js")).push(context, src, dest, options),
});
