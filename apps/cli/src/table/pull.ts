import { command } from "../input/command.js";
import {
  afterInterruptedMove,
  connectionsOption,
  deltaOption,
  movingOptions,
  offlineOption,
} from "./moving-options.js";

export const pull = command({
  name: "pull",
  group: "Transfer",
  summary: "Pull an image or the files of an artifact, through the cache",
  description: [
    "Without DEST, pulls into the cache only. A DEST that ends in `/`, is `.`, `..` or `~`, or starts with `./`, `../`, `/` or `~/` is a directory for the files of an artifact: the files of a model (of Ollama, Docker Model Runner, ModelPack or KitOps), its layers with a title (`org.opencontainers.image.title`), or its only layer, which gets a file name if it has no title. A registry as DEST requires `docker://`.",
    "If the registry fails, the cached image of that name is used, with a warning. The statuses 401, 403 and 404 are errors.",
    "If the source has only some platforms of an index, as archives often do, those are transferred, and the exit status is 0; the missing ones are listed on stderr and, with --json, in `refs[].missing`. A registry accepts only a complete index, so for a registry select a platform with --platform.",
    "With --unpack, the files belong to you and have no setuid, setgid or sticky bits, even if you are root. Absolute links become relative. Devices, and links that would lead out of the directory, are skipped with a warning.",
    "A pattern of --only matches the complete path of a file: `*` matches any characters except a slash, `**` slashes too; `?`, `[a-z]` and `{a,b}` work as in a shell. Files that are not selected are not fetched.",
    "With --into, files are placed in the folder of the tool (OLLAMA_MODELS, HF_HUB_CACHE or HF_HOME, `~/.lmstudio/models`) under the name that the model has in its registry: as clones of the cached files, otherwise as read-only hard links, otherwise as copies. Files that the tool already has are not replaced.",
    "If SRC is a digest, the content is read from the cache or any known location. For cached content, the first 6 digits are enough.",
  ],
  arguments: {
    src: { summary: "the source: a reference, such as docker://HOST/NAME:TAG, or a digest", completes: "reference" },
    dest: { optional: true, summary: "the destination, such as oci:DIR:TAG or ./DIR/", completes: "destination" },
  },
  options: {
    ...movingOptions,
    ...connectionsOption,
    ...offlineOption,
    ...deltaOption,
    "prefer-cached": { summary: "do not contact the registry if the cache has the complete image of that name" },
    only: {
      value: "GLOB",
      many: true,
      summary: "into a directory: write only the files of an artifact that match; `!GLOB` excludes files; repeatable",
    },
    "only-annotation": {
      value: "KEY=VALUE",
      many: true,
      summary: "into a directory: write only the files whose layers have this annotation",
    },
    unpack: {
      value: "DIR",
      summary: "write the root file system of the image into this empty directory, without owners and devices",
      completes: "folder",
    },
    into: {
      value: "TOOL",
      summary: "place the files of a model where this tool looks for them: ollama, hf (Hugging Face) or lmstudio",
      choices: ["ollama", "hf", "lmstudio"],
    },
    link: { summary: "into a directory: create read-only hard links to cached files that cannot be cloned" },
  },
  examples: [
    { line: "mote pull docker.io/library/alpine:3.20", does: "Pull into the cache; a second pull fetches nothing" },
    {
      line: "mote pull docker://ghcr.io/acme/app:1.2 oci:build/app:1.2 --platform linux/arm64",
      does: "Pull one platform into an OCI layout",
    },
    {
      line: "mote pull ghcr.io/acme/app:1.2 oci:build/app:1.2 --offline",
      does: "Copy the cached image without contacting the registry",
    },
    {
      line: "mote pull docker.io/library/alpine:3.20 --unpack ./rootfs/",
      does: "Write the root file system of an image",
    },
    { line: "mote pull ghcr.io/acme/model:7b ./models/", does: "Pull the files of an artifact into a directory" },
    {
      line: "mote pull ghcr.io/acme/model:7b ./models/ --only 'weights/*.safetensors'",
      does: "Pull only some files of an artifact",
    },
    { line: "mote pull registry.ollama.ai/library/llama3.2:1b --into ollama", does: "Pull a model for Ollama" },
  ],
  reachesRegistries: true,
  afterInterrupt: afterInterruptedMove,
  run: async (context, { src, dest }, options) =>
    (await import("../commands/pull.js")).pull(context, src, dest, options),
});
