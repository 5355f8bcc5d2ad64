import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LayoutDestination } from "./layout-destination.js";
import { LayoutSource } from "./layout-source.js";

const refName = "org.opencontainers.image.ref.name";

let dir: string;
let subject: Descriptor;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-layout-referrers-"));
  mkdirSync(join(dir, "blobs", "sha256"), { recursive: true });
  writeFileSync(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  subject = image();
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const blobFile = ({ digest }: Descriptor) => join(dir, "blobs", "sha256", digest.slice(7));
const named = (name: string, entry: Descriptor) => ({ ...entry, annotations: { [refName]: name } });

function put(body: object, mediaType: string): Descriptor {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
  writeFileSync(blobFile(descriptor), bytes);
  return descriptor;
}

function image(more: object = {}): Descriptor {
  const mediaType = mediaTypes.ociManifest;
  const config = put({ seed: 1 }, "application/vnd.acme.config");
  return put({ schemaVersion: 2, mediaType, config, layers: [], ...more }, mediaType);
}

function index(manifests: readonly Descriptor[]): Descriptor {
  const mediaType = mediaTypes.ociIndex;
  return put({ schemaVersion: 2, mediaType, manifests }, mediaType);
}

function list(...manifests: readonly Descriptor[]): void {
  writeFileSync(join(dir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

async function referrers(of = subject): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  for await (const one of new LayoutSource(dir).referrers(of)) found.push(one);
  return found;
}

async function tagged() {
  const found = [];
  for await (const one of new LayoutSource(dir).taggedReferrers(subject)) found.push(one);
  return found;
}

describe("referrers in a layout", () => {
  it("are found without a tag, with a tag, by the referrers tag, and in indexes", async () => {
    const [bare, called, fallback, nested] = ["bare", "called", "fallback", "nested"].map((text) =>
      image({ subject, annotations: { text } }),
    ) as [Descriptor, Descriptor, Descriptor, Descriptor];
    list(
      named("1", subject),
      bare,
      named("signature", called),
      named(subject.digest.replace(":", "-"), index([fallback])),
      named("more", index([index([nested])])),
    );
    expect((await referrers()).map(({ digest }) => digest).sort()).toEqual(
      [bare, called, fallback, nested].map(({ digest }) => digest).sort(),
    );
  });

  it("are described by their manifests, not by their entries", async () => {
    const annotations = { signed: "yes" };
    const signature = image({ subject, annotations });
    list(named("1", subject), { ...signature, artifactType: "a/lie", annotations: { [refName]: "1" } });
    expect(await referrers()).toEqual([{ ...signature, artifactType: "application/vnd.acme.config", annotations }]);
  });

  it("are neither entries of the referrers tag with another subject nor the subject itself", async () => {
    const tag = subject.digest.replace(":", "-");
    const stranger = image({ subject: image({ annotations: { other: "" } }) });
    list(named("1", subject), named(tag, index([stranger, subject])));
    expect(await referrers()).toEqual([]);
    list(named("1", subject), named(tag, subject));
    expect(await referrers()).toEqual([]);
  });

  it("are found despite missing and invalid manifests, and a damaged one is an error", async () => {
    const signature = image({ subject });
    const gone = { ...signature, digest: digestBytes(new Uint8Array(3)), size: 3 };
    const broken = put({ schemaVersion: 1 }, mediaTypes.ociManifest);
    list(named("1", subject), gone, broken, index([gone, broken]), signature);
    expect(await referrers()).toHaveLength(1);
    truncateSync(blobFile(signature), 5);
    await expect(referrers()).rejects.toMatchObject({ code: "MOTE_CORRUPT" });
  });

  it("include missing and invalid entries of the referrers tag, so that they can be reported", async () => {
    const tag = subject.digest.replace(":", "-");
    const signature = image({ subject });
    const gone = { ...signature, digest: digestBytes(new Uint8Array(3)), size: 3 };
    const broken = put([], mediaTypes.ociManifest);
    const digests = [signature, gone, broken].map(({ digest }) => digest);
    for (const name of [tag, `registry.example/app:${tag}`]) {
      list(named("1", subject), named(name, index([gone, signature, broken])));
      expect((await referrers()).map(({ digest }) => digest)).toEqual(digests);
      expect(await referrers(signature)).toEqual([]);
    }
  });

  it("are found by cosign's tags, even at the end of a complete reference", async () => {
    const stem = subject.digest.replace(":", "-");
    const [signature, sbom] = [image({ annotations: { sig: "" } }), image({ annotations: { sbom: "" } })];
    list(
      named("1", subject),
      named(`${stem}.sig`, signature),
      named(`registry.example/app:${stem}.sbom`, sbom),
      named(`${stem}.att`, subject),
      named(`x${stem}.att`, signature),
    );
    expect(await tagged()).toEqual([
      { name: `${stem}.sig`, descriptor: signature },
      { name: `${stem}.sbom`, descriptor: sbom },
    ]);
  });
});

it("a manifest's own annotations do not name it in a layout", async () => {
  const at = join(dir, "destination");
  const bytes = new TextEncoder().encode(readFileSync(blobFile(subject), "utf8"));
  await using destination = new LayoutDestination(at);
  await destination.manifest(subject, bytes);
  await destination.tag(subject.digest, { ...subject, annotations: { [refName]: "latest", kept: "yes" } });
  expect(existsSync(join(at, "index.json"))).toBe(true);
  const [entry] = JSON.parse(readFileSync(join(at, "index.json"), "utf8")).manifests;
  expect(entry.annotations).toEqual({ kept: "yes" });
  await expect(new LayoutSource(at).resolve("latest")).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
});
