import { describe, expect, it } from "vitest";
import type { Descriptor } from "./descriptor.js";
import { type Digest, digestBytes } from "./digest.js";
import { type Manifest, parseManifest } from "./manifest.js";
import { mediaTypes } from "./media-type.js";
import {
  artifactTypeOf,
  cosignTags,
  describeReferrer,
  findReferrers,
  isCosignTag,
  referrersTag,
  refersTo,
} from "./referrers.js";

const encode = (body: object) => new TextEncoder().encode(JSON.stringify(body));
const config = { mediaType: "application/vnd.acme.config", digest: digestBytes(encode({})), size: 2 };

class Manifests {
  readonly #known = new Map<Digest, Manifest>();

  put(body: object, mediaType: string = mediaTypes.ociManifest): Descriptor {
    const bytes = encode({ schemaVersion: 2, mediaType, ...body });
    const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
    this.#known.set(descriptor.digest, parseManifest(bytes, mediaType));
    return descriptor;
  }

  image(body: object = {}): Descriptor {
    return this.put({ config, layers: [], ...body });
  }

  index(manifests: readonly Descriptor[], body: object = {}): Descriptor {
    return this.put({ manifests, ...body }, mediaTypes.ociIndex);
  }

  readonly read = async ({ digest }: Descriptor) => this.#known.get(digest);
}

describe("findReferrers", () => {
  it("finds referrers among roots and everything that their indexes list", async () => {
    const manifests = new Manifests();
    const subject = manifests.image();
    const [bare, tagged, nested] = ["bare", "tagged", "nested"].map((text) =>
      manifests.image({ subject, annotations: { text } }),
    ) as [Descriptor, Descriptor, Descriptor];
    const signed = manifests.index([], { subject, artifactType: "a/b" });
    const roots = [subject, bare, signed, manifests.index([tagged, manifests.index([nested])])];
    const found = await findReferrers(roots, manifests.read);
    expect([...found.keys()]).toEqual([subject.digest]);
    expect(
      found
        .get(subject.digest)
        ?.map(({ digest }) => digest)
        .sort(),
    ).toEqual([bare, signed, tagged, nested].map(({ digest }) => digest).sort());
  });

  it("ignores entries of a referrers index that refer to another subject", async () => {
    const manifests = new Manifests();
    const [subject, other] = [manifests.image(), manifests.image({ annotations: { other: "" } })];
    const stranger = manifests.image({ subject: other });
    const found = await findReferrers([subject, manifests.index([stranger, subject])], manifests.read, subject.digest);
    expect(found.size).toBe(0);
  });

  it("skips manifests that are not stored", async () => {
    const manifests = new Manifests();
    const subject = manifests.image();
    const gone = { ...subject, digest: digestBytes(encode({ gone: true })) };
    const referrer = manifests.image({ subject });
    const found = await findReferrers([manifests.index([gone, referrer]), gone], manifests.read);
    expect(found.get(subject.digest)).toHaveLength(1);
  });

  it("throws MOTE_TOO_LARGE for endless roots", async () => {
    let at = 0;
    function* endless() {
      for (;;) yield { mediaType: mediaTypes.ociManifest, digest: digestBytes(encode({ at: at++ })), size: 2 };
    }
    await expect(findReferrers(endless(), async () => undefined)).rejects.toMatchObject({ code: "MOTE_TOO_LARGE" });
  });

  it("throws MOTE_TOO_LARGE if the referrers are too large in total", async () => {
    const manifests = new Manifests();
    const subject = manifests.image();
    const large = Array.from({ length: 20 }, (_, at) => ({
      ...manifests.image({ subject, annotations: { at: String(at) } }),
      size: 4 * 1024 * 1024,
    }));
    await expect(findReferrers(large, manifests.read)).rejects.toMatchObject({ code: "MOTE_TOO_LARGE" });
    expect((await findReferrers(large, manifests.read, large[0]?.digest)).size).toBe(0);
  });
});

describe("a referrer's description", () => {
  const subject = { mediaType: mediaTypes.ociManifest, digest: digestBytes(encode({ subject: true })), size: 5 };
  const described = (body: object, mediaType: string = mediaTypes.ociManifest) => {
    const bytes = encode({ schemaVersion: 2, mediaType, subject, ...body });
    const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength, platform: { os: "x" } };
    return describeReferrer(descriptor as unknown as Descriptor, parseManifest(bytes, mediaType));
  };

  it("has the manifest's artifact type, or the media type of its config", () => {
    expect(described({ config, layers: [], artifactType: "a/b" }).artifactType).toBe("a/b");
    expect(described({ config, layers: [] }).artifactType).toBe(config.mediaType);
    expect(described({ config, layers: [], artifactType: "" }).artifactType).toBe(config.mediaType);
    expect(described({ manifests: [] }, mediaTypes.ociIndex)).not.toHaveProperty("artifactType");
    expect(described({ manifests: [], artifactType: "a/b" }, mediaTypes.ociIndex).artifactType).toBe("a/b");
  });

  it("has the annotations of the manifest, not those of the listing", () => {
    const annotations = { key: "value" };
    expect(described({ config, layers: [], annotations })).toMatchObject({ annotations });
    expect(described({ config, layers: [], annotations })).not.toHaveProperty("platform");
  });

  it("matches only its own subject", () => {
    const manifest = parseManifest(
      encode({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [], subject }),
      mediaTypes.ociManifest,
    );
    expect(refersTo(manifest, subject.digest)).toBe(true);
    expect(refersTo(manifest, config.digest)).toBe(false);
    expect(artifactTypeOf(manifest)).toBe(config.mediaType);
  });
});

describe("tags", () => {
  it("of referrers are the digest with a dash, truncated as specified", () => {
    const digest = digestBytes(encode({}));
    expect(referrersTag(digest)).toBe(digest.replace(":", "-"));
    expect(referrersTag(digestBytes(encode({}), "sha512"))).toHaveLength("sha512-".length + 64);
  });

  it("of cosign are the digest with a dash and a suffix", () => {
    const stem = digestBytes(encode({})).replace(":", "-");
    expect(cosignTags(digestBytes(encode({})))).toEqual([`${stem}.sig`, `${stem}.att`, `${stem}.sbom`]);
    expect(cosignTags(digestBytes(encode({}))).every(isCosignTag)).toBe(true);
    expect([stem, `${stem}.txt`, `x${stem}.sig`, "1.0"].some(isCosignTag)).toBe(false);
    expect(cosignTags(digestBytes(encode({}), "sha512"))).toEqual([]);
  });
});
