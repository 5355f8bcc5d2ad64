import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ContentSource, type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { afterEach, beforeEach } from "vitest";
import { FilesDestination, type FilesDestinationOptions } from "../src/files/files-destination.js";
import { FilesSource } from "../src/files/files-source.js";
import { carry, makeTree, type Tree } from "./file-trees.js";

// Importing this registers the hooks for the tests of the importing file.
export const encode = (text: string) => new TextEncoder().encode(text);
export let dir: string;
export let into: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-files-"));
  into = join(dir, "deep", "into");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

export const tree: Tree = {
  "data/a": { file: "one" },
  "data/run": { program: "two" },
  "data/sub/link": { link: "../a" },
  "model.bin": { file: "weights" },
};

export function sourceOf(one: Tree, ...titles: readonly string[]): FilesSource {
  const from = mkdtempSync(join(dir, "from-"));
  makeTree(from, one);
  return new FilesSource(
    titles.map((title) => ({ path: join(from, title), title })),
    { temporaryDir: dir },
  );
}

export async function send(source: ContentSource, options: FilesDestinationOptions = {}): Promise<void> {
  await using destination = new FilesDestination(into, options);
  await carry(source, destination);
}

export function artifact(
  ...layers: readonly { readonly title?: string; readonly text: string; readonly folder?: boolean }[]
): ContentSource {
  const blobs = new Map<string, Uint8Array>();
  const add = (bytes: Uint8Array, mediaType: string, annotations?: Readonly<Record<string, string>>): Descriptor => {
    const digest = digestBytes(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength, ...(annotations ? { annotations } : {}) };
  };
  const manifest = encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: add(encode("{}"), mediaTypes.ociEmpty),
      layers: layers.map(({ title, text, folder }) =>
        add(encode(text), mediaTypes.octetStream, {
          ...(title === undefined ? {} : { "org.opencontainers.image.title": title }),
          ...(folder ? { "io.deis.oras.content.unpack": "true" } : {}),
        }),
      ),
    }),
  );
  const root = { mediaType: mediaTypes.ociManifest, digest: digestBytes(manifest), size: manifest.byteLength };
  return {
    resolve: async () => root,
    manifest: async () => manifest,
    blob: async (descriptor) => ({
      info: descriptor,
      async *[Symbol.asyncIterator]() {
        yield blobs.get(descriptor.digest) ?? new Uint8Array(0);
      },
      async close() {},
      async [Symbol.asyncDispose]() {},
    }),
  };
}

/** Sends to another directory from now on, in this test. */
export function sendInto(path: string): void {
  into = path;
}
