import { isRecord, mediaTypes, parseRecord, type Tag } from "@mote/core";

/** image-spec, annotations.md. */
export const refName = "org.opencontainers.image.ref.name";

const head = `${JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex }, undefined, 2).slice(0, -2)},\n  "manifests": [`;
const tail = "\n  ]\n}\n";
const emptyTail = "]\n}\n";
const entryStart = "\n    {";
const entryEnd = "\n    }";
const bytesAtOnce = 65_536;

/** The entries of `index.json` by name, each as its text. The complete text equals the output of `JSON.stringify`. */
export type ViewEntries = Map<string, string>;

export function viewEntry({ name, descriptor }: Tag): string {
  const entry = { ...descriptor, annotations: { ...descriptor.annotations, [refName]: name } };
  return JSON.stringify([entry], undefined, 2).slice(1, -2).replaceAll("\n", "\n  ");
}

/** Yields the text in chunks, in the order of names. */
export function* viewChunks(entries: ViewEntries): Generator<string> {
  const names = [...entries.keys()].sort();
  let chunk = head;
  for (const [at, name] of names.entries()) {
    chunk += `${at === 0 ? "" : ","}${entries.get(name)}`;
    if (chunk.length < bytesAtOnce) continue;
    yield chunk;
    chunk = "";
  }
  yield `${chunk}${names.length === 0 ? emptyTail : tail}`;
}

/** Parses the text of `viewChunks`. Yields undefined for an entry without a name or for an invalid text. */
export function* parseView(text: string): Generator<[name: string, entry: string] | undefined> {
  if (text === `${head}${emptyTail}`) return;
  if (!text.startsWith(head) || !text.endsWith(tail)) return yield undefined;
  const last = text.length - tail.length;
  for (let start = head.length; start < last; ) {
    // Only the end of an entry has this indentation.
    const end = text.indexOf(entryEnd, start) + entryEnd.length;
    if (end < entryEnd.length || end > last || !text.startsWith(entryStart, start)) return yield undefined;
    const entry = text.slice(start, end);
    const name = nameOf(entry);
    yield name === undefined ? undefined : [name, entry];
    start = end + 1;
  }
}

function nameOf(entry: string): string | undefined {
  const annotations = parseRecord(entry)?.annotations;
  const name = isRecord(annotations) ? annotations[refName] : undefined;
  return typeof name === "string" ? name : undefined;
}
