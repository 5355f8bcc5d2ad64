import { posix } from "node:path";
import { type Digest, MoteError, manifestKind } from "@mote/core";
import type { LayerStack, SelectedFile, UnpackOptions } from "@mote/layout";
import { readImage } from "../inspection/image-content.js";
import { pickOrChoose } from "../inspection/pick-image.js";
import type { Parts } from "../parts.js";
import { readOrigin } from "../references/origin.js";
import { layerBytes } from "./fetch-layer.js";
import type { ImageFiles, ImageFilesOptions } from "./image-files.js";

/** Opens the files of an image as `OpenMote.files` does. Its source stays open until it is disposed of. */
export async function openImageFiles(
  parts: Parts,
  reference: string,
  { unpack, ...options }: ImageFilesOptions & { readonly unpack?: UnpackOptions | undefined },
): Promise<ImageFiles> {
  const from = await readOrigin(parts.cache, parts.references, reference);
  const { platform, signal } = options;
  const { LayerStack, readLayer } = await import("@mote/layout");
  return new Promise((resolve, reject) => {
    const fetching = { ...options, onEvent: planning(options.onEvent) };
    const reading = readImage(from, parts, { platform, signal }, async (content) => {
      const { picked, chosenPlatform } = await pickOrChoose(content, reference, platform);
      const { manifest } = picked;
      if (manifestKind(manifest) !== "image") throw notAnImage(reference, picked.descriptor.digest);
      const layers = manifest.layers.map((layer) => {
        const what = `the layer ${layer.digest}`;
        return {
          what,
          entries: () => readLayer(layerBytes(content, layer, parts, fetching), what, { ...unpack, signal }),
        };
      });
      const stack = new LayerStack(layers, { maxEntries: unpack?.maxEntries, signal });
      await new Promise<void>((close) => {
        const dispose = async () => {
          close();
          await reading;
        };
        const { digest } = picked.descriptor;
        resolve({ digest, chosenPlatform, ...filesIn(stack, reference), [Symbol.asyncDispose]: dispose });
      });
      return { warnings: [] };
    });
    reading.catch(reject);
  });
}

/** Adds an event with the total so far before each layer that is fetched. */
function planning(onEvent: ImageFilesOptions["onEvent"]): ImageFilesOptions["onEvent"] {
  let [blobs, bytes] = [0, 0];
  return (event) => {
    if (event.type === "start") {
      blobs += 1;
      bytes += event.size;
      onEvent?.({ type: "plan", manifests: 1, blobs, bytes });
    }
    onEvent?.(event);
  };
}

function filesIn(
  stack: LayerStack,
  reference: string,
): Omit<ImageFiles, "digest" | "chosenPlatform" | keyof AsyncDisposable> {
  const find = (path: string) => stack.resolve(path);

  /** @throws MOTE_INVALID_NAME if two have the same name */
  const select = async (paths: readonly string[]) => {
    const { selectBelow } = await import("@mote/layout");
    const selection: SelectedFile[] = [];
    const names = new Map<string, string>();
    for (const path of paths) {
      const name = posix.basename(posix.resolve("/", path)) || ".";
      const other = names.get(name) ?? (names.size > 0 && (name === "." || names.has(".")) ? "/" : undefined);
      if (other !== undefined) {
        const message = `cannot get both ${other} and ${path}: they have the same name; get them one after the other`;
        throw new MoteError("MOTE_INVALID_NAME", message, { details: { name } });
      }
      names.set(name, path);
      for await (const each of selectBelow(stack, await find(path), name)) selection.push(each);
    }
    return selection;
  };

  return {
    find,
    async *list(path = "/") {
      const found = await find(path);
      if (found.path !== "") yield found;
      if (found.type === "folder") yield* stack.walk(found.path);
    },
    async *read(path) {
      const found = await find(path);
      if (found.type === "file") return yield* stack.content(found);
      const kind = found.type === "folder" ? "a directory" : "not a file";
      throw new MoteError("MOTE_NOT_FOUND", `cannot read ${path} of ${reference}: it is ${kind}`, {
        details: { path, type: found.type },
      });
    },
    async *tar(paths) {
      const { selectionTar } = await import("@mote/layout");
      yield* selectionTar(stack, await select(paths));
    },
    async place(paths, dir, options) {
      const { placeImageFiles } = await import("@mote/layout");
      return placeImageFiles(stack, await select(paths), dir, options);
    },
  };
}

function notAnImage(reference: string, digest: Digest): MoteError {
  const message = `${reference} is an artifact, and not an image with files in layers; pull its files: mote pull ${reference} ./DIR/`;
  return new MoteError("MOTE_NOT_FILES", message, { details: { digest } });
}
