import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, MoteError, mediaTypes } from "@mote/core";
import { LayoutSource } from "@mote/layout";
import { listenOnLoopback } from "@mote/testbed";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type OpenMote, openMote } from "../src/index.js";

/** A registry without the referrers API, with an image, a signature that refers to it, and one with cosign's tag. */
class Registry {
  readonly contents = new Map<string, { readonly bytes: Uint8Array; readonly mediaType: string }>();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  listen(): Promise<string> {
    return listenOnLoopback(this.#server);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  add(content: object, mediaType: string, ...names: string[]): Descriptor {
    const bytes = new TextEncoder().encode(JSON.stringify(content));
    const digest = digestBytes(bytes);
    for (const name of [digest, ...names]) this.contents.set(name, { bytes, mediaType });
    return { mediaType, digest, size: bytes.byteLength };
  }

  addManifest(more: object, ...names: string[]): Descriptor {
    const mediaType = mediaTypes.ociManifest;
    const config = this.add({ architecture: "amd64", os: "linux" }, mediaTypes.ociConfig);
    return this.add({ schemaVersion: 2, mediaType, config, layers: [], ...more }, mediaType, ...names);
  }

  #answer({ url = "", method }: IncomingMessage, response: ServerResponse): void {
    const found = url.includes("/referrers/") ? undefined : this.contents.get(url.split("/").at(-1) ?? "");
    if (found === undefined) {
      response.writeHead(404).end();
      return;
    }
    const headers = {
      "content-type": found.mediaType,
      "content-length": found.bytes.byteLength,
      "docker-content-digest": digestBytes(found.bytes),
    };
    response.writeHead(200, headers).end(method === "HEAD" ? undefined : found.bytes);
  }
}

let root: string;
let registry: Registry;
let isUp: boolean;
let mote: OpenMote;
let image: Descriptor;
let signature: Descriptor;
let cosigned: Descriptor;
let source: string;
let tag: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-referrers-"));
  registry = new Registry();
  image = registry.addManifest({}, "1");
  tag = `${image.digest.replace(":", "-")}.sig`;
  signature = registry.addManifest({ subject: image, artifactType: "a/b" });
  cosigned = registry.addManifest({ annotations: { cosign: "" } }, tag);
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [signature] };
  registry.add(index, mediaTypes.ociIndex, image.digest.replace(":", "-"));
  source = `${await registry.listen()}/lib/app`;
  isUp = true;
  mote = await openMote({ dir: join(root, "cache"), registries: { retries: 0 } });
});

async function down(): Promise<void> {
  if (isUp) await registry.close();
  isUp = false;
}

afterEach(async () => {
  await mote.close();
  await down();
  await rm(root, { recursive: true, force: true });
});

async function isCompleteIn(layout: string): Promise<boolean> {
  const there = new LayoutSource(join(root, layout));
  const referrers: Descriptor[] = [];
  for await (const one of there.referrers(image)) referrers.push(one);
  const named = await there.resolve(tag).catch(() => undefined);
  return referrers[0]?.digest === signature.digest && named?.digest === cosigned.digest;
}

it("referrers are tagged in the cache as in their source, with and without a destination", async () => {
  await mote.pull(`docker://${source}:1`, undefined, { referrers: true });
  expect(await mote.tags.resolve(`${source}:${tag}`)).toMatchObject({ digest: cosigned.digest });
  await mote.tags.untag(`${source}:${tag}`);
  await mote.pull(`docker://${source}@${image.digest}`, `oci:${root}/layout:1`, { referrers: true });
  expect(await mote.tags.resolve(`${source}:${tag}`)).toMatchObject({ digest: cosigned.digest });
  expect(await isCompleteIn("layout")).toBe(true);
});

it.each(["", "@"])(
  "stored referrers are copied while the registry is unreachable, by tag or digest (%s)",
  async (by) => {
    const name = by === "@" ? `docker://${source}@${image.digest}` : `docker://${source}:1`;
    await mote.pull(`docker://${source}:1`, undefined, { referrers: true });
    await down();
    const report = await mote.pull(name, `oci:${root}/layout:1`, { referrers: true });
    expect(report.referrers.map(({ descriptor }) => descriptor.digest).sort()).toEqual(
      [signature, cosigned].map(({ digest }) => digest).sort(),
    );
    expect(report.warnings).toHaveLength(1);
    expect(await isCompleteIn("layout")).toBe(true);
  },
);

it("unknown referrers are an error while the registry is unreachable", async () => {
  await mote.pull(`docker://${source}:1`);
  await down();
  const byDigest = mote.pull(`docker://${source}@${image.digest}`, `oci:${root}/layout:1`, { referrers: true });
  const code = await byDigest.then(
    () => "nothing was thrown",
    (error: unknown) => (MoteError.isInstance(error) ? error.code : error),
  );
  expect(code).toBe("MOTE_UNREACHABLE");
});
