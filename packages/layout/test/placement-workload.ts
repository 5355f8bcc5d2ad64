import { gzipSync } from "node:zlib";
import { MoteError, parseManifest } from "@mote/core";
import fc from "fast-check";
import { FilesDestination } from "../src/index.js";
import { artifactOf } from "./artifact-bytes.js";
import type { GuardedFolder } from "./guarded-folder.js";
import { type RawEntry, rawTar } from "./raw-tar.js";

/** A layer: the entries of a directory, or a file. In names and targets, `@` is the guarded directory and `^` its parent. */
interface Layer {
  readonly title: string;
  readonly entries?: readonly RawEntry[] | undefined;
  readonly isCompressed: boolean;
}

interface Pull {
  readonly layers: readonly Layer[];
  readonly overwrite: boolean;
  readonly link: boolean;
}

export interface Placement {
  readonly userLinks: Readonly<Record<string, string>>;
  readonly pulls: readonly Pull[];
}

const folderName = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom("a", "b") },
  { weight: 1, arbitrary: fc.constantFrom("A", "c", ".", "", "L".repeat(120), "長".repeat(50)) },
);
const leafName = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom("c", "d", "e", "y", "z", "payload") },
  { weight: 2, arbitrary: fc.constantFrom("a", "b", "C", "f".repeat(120)) },
);
const part = fc.oneof(folderName, leafName);
const folders = fc.array(folderName, { maxLength: 3 });
// Mostly of the same kind, so that most entries do not conflict.
const path = fc.tuple(folders, leafName).map(([dirs, leaf]) => [...dirs, leaf].join("/"));
const folderPath = fc.array(folderName, { minLength: 1, maxLength: 4 }).map((dirs) => dirs.join("/"));
const hostilePath = fc.oneof(
  fc.array(fc.oneof(part, fc.constant("..")), { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/")),
  path.map((name) => `/${name}`),
  path.map((name) => `^/${name}`),
  fc.constantFrom("", "/", "..", "a\\b", "C:/a", "a\0b"),
);
const target = fc.oneof(
  { weight: 3, arbitrary: fc.oneof(path, folderPath) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.nat(5), fc.array(fc.oneof(part, fc.constant("..")), { maxLength: 4 }))
      .map(([up, parts]) => [...Array.from({ length: up }, () => ".."), ...parts].join("/") || "."),
  },
  { weight: 1, arbitrary: path.map((name) => `@/${name}`) },
  { weight: 1, arbitrary: path.map((name) => `^/${name}`) },
);
const flag = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom("0", "2", "2", "5") },
  { weight: 3, arbitrary: fc.constantFrom("1", "7", "\0") },
  { weight: 1, arbitrary: fc.constantFrom("3", "4", "6", "S", "V") },
);
const long = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constantFrom("pax" as const, "gnu" as const) },
);
const title = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom("t", "t", "u", "v/a") },
  { weight: 2, arbitrary: fc.constantFrom(".", "t/a", "t/z/b") },
  { weight: 1, arbitrary: fc.oneof(path, hostilePath) },
);

const text = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom("", "text") },
  // More than one write.
  { weight: 1, arbitrary: fc.constant("x".repeat(70_000)) },
);

function entryBelow(top: string): fc.Arbitrary<RawEntry> {
  const below = (name: string) => (top === "." ? name : `${top}/${name}`);
  const named = (names: fc.Arbitrary<string>) =>
    fc.oneof(
      { weight: 60, arbitrary: names.map(below) },
      { weight: 3, arbitrary: names.map((one) => `./${below(one)}/`) },
      { weight: 1, arbitrary: fc.oneof(hostilePath, hostilePath.map(below), fc.constant(top)) },
    );
  const mode = fc.constantFrom(0o644, 0o755, 0o6755, 0o1777);
  const common = { text, mode, long };
  const bare = fc.constant("");
  return flag.chain((kind): fc.Arbitrary<RawEntry> => {
    const one = { ...common, flag: fc.constant(kind), name: named(kind === "5" ? folderPath : path) };
    if (kind === "2") return fc.record({ ...one, text: bare, link: target });
    if (kind === "1") return fc.record({ ...one, text: bare, link: named(path) });
    return fc.record(kind === "5" ? { ...one, text: bare } : one);
  });
}

/** Generates links that are harmless alone, in existing directories, and may be harmful in combination. */
function linksBelow(top: string): fc.Arbitrary<readonly RawEntry[]> {
  const all = ["a", "a/b", "a/b/a", "a/b/a/b", "b", "b/a"].map(
    (name): RawEntry => ({ flag: "5", name: `${top}/${name}` }),
  );
  const up = fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.array(fc.constantFrom("a", "b", "c", "z", "t"), { maxLength: 2 }))
    .map(([steps, parts]) => [...Array.from({ length: steps }, () => ".."), ...parts].join("/"));
  const link = fc.record({
    flag: fc.constant("2"),
    link: up,
    name: fc.tuple(fc.constantFrom(...all), leafName).map(([{ name }, leaf]) => `${name}/${leaf}`),
  });
  return someBelow(link).map((links) => [...all, ...links]);
}

/** Generates entries, some of them below an earlier file, link or device. */
function someBelow(entry: fc.Arbitrary<RawEntry>): fc.Arbitrary<readonly RawEntry[]> {
  const below = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(7) });
  return fc.array(fc.tuple(entry, below, leafName), { minLength: 1, maxLength: 8 }).map((all) => {
    const entries: RawEntry[] = [];
    for (const [one, at, leaf] of all) {
      const parent = at === undefined ? undefined : entries[at % Math.max(entries.length, 1)];
      entries.push(parent === undefined ? one : { ...one, name: `${parent.name}/${leaf}` });
    }
    return entries;
  });
}

const layer: fc.Arbitrary<Layer> = title.chain((top) =>
  fc.record({
    title: fc.constant(top),
    entries: fc.option(fc.oneof(someBelow(entryBelow(top)), linksBelow(top)), { nil: undefined, freq: 4 }),
    isCompressed: fc.nat(7).map((one) => one === 0),
  }),
);

/** Generates sequences of pulls of hostile artifacts into one directory, which may contain the user's links. */
export const placements: fc.Arbitrary<Placement> = fc.record({
  userLinks: fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: fc.constantFrom({ "t/z": "^/a" }, { a: "../a" }, { "t/a": "@/u" }, { z: "t" }, { "t/b": "../.." }),
    },
  ),
  pulls: fc.array(
    fc.record({
      layers: fc.uniqueArray(layer, { minLength: 1, maxLength: 3, selector: (one) => one.title }),
      overwrite: fc.boolean(),
      link: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

export interface Outcome {
  readonly faults: readonly string[];
  /** The error of each pull, or undefined if it succeeded. */
  readonly codes: readonly (string | undefined)[];
}

/** Executes the pulls. Returns forbidden changes outside the directory, and files left in it. */
export async function location({ userLinks, pulls }: Placement, folder: GuardedFolder): Promise<Outcome> {
  const filled = (text: string) => text.replaceAll("@", folder.path).replaceAll("^", folder.base);
  folder.reset(Object.fromEntries(Object.entries(userLinks).map(([name, to]) => [name, filled(to)])));
  const codes: (string | undefined)[] = [];
  for (const { layers, ...options } of pulls) {
    const artifact = layers.map(({ title: name, entries, isCompressed }, at) => {
      const tar = entries?.map((entry) => ({ ...entry, name: filled(entry.name), link: filled(entry.link ?? "") }));
      const bytes = tar === undefined ? Buffer.from(`file ${at}`) : rawTar(tar);
      return { title: filled(name), isFolder: tar !== undefined, bytes: isCompressed && tar ? gzipSync(bytes) : bytes };
    });
    codes.push(await send(artifact, folder.path, options));
    const faults = folder.faults();
    if (faults.length > 0) return { faults, codes };
  }
  return { faults: [], codes };
}

async function send(
  layers: Parameters<typeof artifactOf>[0],
  into: string,
  options: Pick<Pull, "overwrite" | "link">,
): Promise<string | undefined> {
  const { root, manifest, layers: descriptors } = artifactOf(layers);
  await using destination = new FilesDestination(into, options);
  try {
    await destination.expect(parseManifest(manifest, root.mediaType));
    for (const [at, descriptor] of descriptors.entries()) {
      if (!(await destination.has(descriptor))) await destination.blob(descriptor, once(layers[at]?.bytes));
    }
    await destination.manifest(root, manifest);
    await destination.commit();
    return undefined;
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    return error.code;
  }
}

async function* once(bytes: Uint8Array = new Uint8Array(0)): AsyncGenerator<Uint8Array> {
  yield bytes;
}
