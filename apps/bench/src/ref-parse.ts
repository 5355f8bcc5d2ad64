import { formatRef, parseRef } from "@mote/ref";
import type { Comparison } from "./compare.js";

const references = [
  "alpine",
  "ghcr.io/owner/app:1.2.3",
  "docker://registry.example:5000/team/project/app:latest",
  "localhost:5000/app",
  "oci:some/folder:1",
];
const rounds = 40_000;

/** Parses references; the goal is a million a second. The peer is the URL parser of the platform with the same texts. */
export async function* refSuite(): AsyncGenerator<Comparison, void, undefined> {
  const urls = references.map((text) => `https://${text.replace("docker://", "").replace("oci:", "")}`);
  const refs = references.map((text) => parseRef(text));
  yield {
    title: "parse ordinary references",
    unit: "operations",
    amount: references.length * rounds,
    goalPerSecond: 1_000_000,
    mote: { name: "mote", run: () => repeat(references, (text) => parseRef(text)) },
    peer: { name: "URL.canParse", run: () => repeat(urls, (text) => URL.canParse(text)) },
  };
  yield {
    title: "format them",
    unit: "operations",
    amount: references.length * rounds,
    mote: { name: "mote", run: () => repeat(refs, (ref) => formatRef(ref)) },
    peer: { name: "JSON.stringify", run: () => repeat(refs, (ref) => JSON.stringify(ref)) },
  };
}

async function repeat<Item>(items: readonly Item[], work: (item: Item) => unknown): Promise<void> {
  for (let round = 0; round < rounds; round++) for (const item of items) work(item);
}
