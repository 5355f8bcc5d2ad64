import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes, writeMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { type DockerRegistry, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDemoImage } from "../src/demo-image.js";
import { runMote } from "./run-mote.js";

const wanted = needs("docker-registry");

describe.skipIf(wanted !== "")(`the referrers of an image${wanted}`, () => {
  let dir: string;
  let registry: DockerRegistry;
  let image: Descriptor;
  let signature: Descriptor;
  const layout = () => `oci:${join(dir, "origin")}:1`;

  // Each copy has its own cache, so that everything is read from the source.
  async function copy(source: string, destination: string, ...more: string[]): Promise<string> {
    const cache = join(dir, `cache-${digestBytes(new TextEncoder().encode(destination)).slice(7, 15)}`);
    const ended = await runMote(["copy", source, destination, "--cache", cache, "--json", ...more]);
    return ended.status === 0 ? "" : JSON.parse(ended.stderr).error.code;
  }

  async function has(repository: string, { digest }: Descriptor): Promise<boolean> {
    const headers = { accept: mediaTypes.ociManifest };
    return (await fetch(`http://${registry.host}/v2/${repository}/manifests/${digest}`, { headers })).ok;
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-referrers-"));
    registry = await startDockerRegistry();
    await using mote = await openMote({ dir: join(dir, "origin") });
    image = await makeDemoImage(mote.cache);
    await mote.tags.tag("1", image);
    const add = async (content: object, mediaType: string): Promise<Descriptor> => {
      const bytes = new TextEncoder().encode(JSON.stringify(content));
      const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
      await writeMote(mote.cache, { digest: descriptor.digest, mediaType, size: bytes.byteLength }, bytes);
      return descriptor;
    };
    const config = await add({}, mediaTypes.ociEmpty);
    const payload = await add({ signed: image.digest }, "application/vnd.example.signature");
    const mediaType = mediaTypes.ociManifest;
    const artifactType = "application/vnd.example";
    signature = await add(
      { schemaVersion: 2, mediaType, artifactType, config, layers: [payload], subject: image },
      mediaType,
    );
    await mote.tags.tag("signature", signature);
  }, 60_000);

  afterAll(async () => {
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("are copied from a layout to a registry, to another repository, and back, on request", async () => {
    const at = (name: string) => `docker://${registry.host}/${name}:1`;
    expect(await copy(layout(), at("bare"))).toBe("");
    expect([await has("bare", image), await has("bare", signature)]).toEqual([true, false]);
    const archive = `oci-archive:${join(dir, "image.tar")}:1`;
    const steps = [layout(), at("signed"), at("again"), archive, at("back")];
    for (const [step, source] of steps.slice(0, -1).entries()) {
      expect([source, await copy(source, steps[step + 1] ?? "", "--with-referrers")]).toEqual([source, ""]);
    }
    for (const name of ["signed", "again", "back"]) expect(await has(name, signature)).toBe(true);
  });

  it("are found by digest", async () => {
    const signed = `docker://${registry.host}/signed@${signature.digest}`;
    expect(await copy(signed, `docker://${registry.host}/moved@${signature.digest}`)).toBe("");
    expect(await has("moved", signature)).toBe(true);
  });

  it("do not match a destination with another digest", async () => {
    const signed = `docker://${registry.host}/signed@${signature.digest}`;
    const other = `docker://${registry.host}/other@${image.digest}`;
    expect(await copy(signed, other)).toBe("MOTE_DIGEST_MISMATCH");
    expect(await has("other", signature)).toBe(false);
  });
});
