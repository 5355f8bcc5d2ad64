import { type Descriptor, digestBytes, type Ref, type ResolveOptions } from "@mote/core";
import { expect, it } from "vitest";
import { transfer } from "../src/index.js";
import { MemoryCache } from "./memory-cache.js";
import { MemorySource } from "./memory-endpoints.js";
import { addImage } from "./memory-images.js";

/** A source with a wrong descriptor unless `manifestFollows` is set, like registries with wrong HEAD responses. */
class WrongSource extends MemorySource {
  wrong: Partial<Descriptor> = {};

  override async resolve(ref: Ref | string, options: ResolveOptions = {}): Promise<Descriptor> {
    const right = await super.resolve(ref);
    return options.manifestFollows ? right : { ...right, ...this.wrong };
  }
}

const absent = digestBytes(new Uint8Array([1]));

it("a reference is moved even if its first descriptor has a wrong size or digest", async () => {
  for (const wrong of [{ size: 1 }, { size: 10_000_000 }, { digest: absent }, { digest: absent, size: 3 }]) {
    const source = new WrongSource();
    const { root } = addImage(source, "v1", [100]);
    source.wrong = wrong;
    const cache = new MemoryCache();
    const report = await transfer({ source, cache, refs: ["v1"] });
    expect(report.refs[0]?.resolved).toMatchObject({ digest: root.digest, size: root.size });
    expect(await cache.moteExists(root.digest)).toBe(true);
  }
});

it("a requested digest is never replaced by another", async () => {
  const source = new WrongSource();
  const { root } = addImage(source, "v1", [100]);
  source.wrong = { digest: absent };
  const transferring = transfer({ source, cache: new MemoryCache(), refs: [root.digest] });
  await expect(transferring).resolves.toMatchObject({ refs: [{ resolved: { digest: root.digest } }] });
  source.contents.delete(root.digest);
  const failing = transfer({ source, cache: new MemoryCache(), refs: [root.digest] });
  await expect(failing).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
});
