import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, MoteError, mediaTypes } from "@mote/core";
import { afterEach, beforeEach } from "vitest";
import { LayoutDestination } from "../src/oci/layout-destination.js";

// Importing this registers the hooks for the tests of the importing file.
export let dir: string;
export let layout: string;
export let destination: LayoutDestination;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-layout-"));
  layout = join(dir, "made", "layout");
  destination = new LayoutDestination(layout);
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

export const text = (content: string) => new TextEncoder().encode(content);

export function describeBytes(bytes: Uint8Array, mediaType: string = mediaTypes.octetStream): Descriptor {
  return { digest: digestBytes(bytes), size: bytes.byteLength, mediaType };
}

export async function* chunks(...parts: readonly (Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield part;
  }
}

export async function putManifest(content: object, to = destination): Promise<Descriptor> {
  const bytes = text(JSON.stringify(content));
  const descriptor = describeBytes(bytes, mediaTypes.ociManifest);
  await to.manifest(descriptor, bytes);
  return descriptor;
}

export async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : error;
  }
  return "nothing was thrown";
}

export function indexJson(): { manifests: { digest: string; annotations?: Record<string, string> }[] } & Record<
  string,
  unknown
> {
  return JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
}
