import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import {
  type ContentDestination,
  type ContentSource,
  childDescriptors,
  type Descriptor,
  parseManifest,
} from "@mote/core";
import { FilesDestination } from "../src/index.js";

/** Files, executables, links and empty directories by path. */
export type Tree = Readonly<
  Record<
    string,
    { readonly file: string } | { readonly program: string } | { readonly link: string } | { readonly folder: true }
  >
>;

export function makeTree(dir: string, tree: Tree): void {
  mkdirSync(dir, { recursive: true });
  for (const [path, what] of Object.entries(tree)) {
    const at = join(dir, path);
    mkdirSync("folder" in what ? at : dirname(at), { recursive: true });
    if ("link" in what) symlinkSync(what.link, at);
    if ("file" in what) writeFileSync(at, what.file);
    if ("program" in what) writeFileSync(at, what.program);
    if ("program" in what) chmodSync(at, 0o755);
  }
}

/** Reads the tree below a directory. */
export function readTree(dir: string, below = ""): Tree {
  return Object.fromEntries(
    readdirSync(join(dir, below)).flatMap((name): [string, Tree[string]][] => {
      const path = below === "" ? name : `${below}/${name}`;
      const at = join(dir, path);
      const stats = lstatSync(at);
      if (stats.isSymbolicLink()) return [[path, { link: readlinkSync(at) }]];
      if (stats.isDirectory()) {
        const inside = Object.entries(readTree(dir, path));
        return inside.length > 0 ? inside : [[path, { folder: true }]];
      }
      const text = readFileSync(at, "utf8");
      return [[path, stats.mode & 0o100 ? { program: text } : { file: text }]];
    }),
  );
}

/** Sends an artifact as the transfer engine does: expect, blobs, manifest, tag, commit. */
export async function carry(source: ContentSource, destination: ContentDestination, tag = "1"): Promise<Descriptor> {
  const root = await source.resolve("");
  const bytes = await source.manifest(root);
  const manifest = parseManifest(bytes, root.mediaType);
  if (destination instanceof FilesDestination) await destination.expect(manifest);
  for (const descriptor of childDescriptors(manifest)) {
    if (await destination.has(descriptor)) continue;
    await using reader = await source.blob(descriptor);
    await destination.blob(descriptor, reader);
  }
  await destination.manifest(root, bytes);
  await destination.tag(tag, root);
  await destination.commit?.();
  return root;
}
