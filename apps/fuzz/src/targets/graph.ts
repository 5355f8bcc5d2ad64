import {
  closureFrom,
  type Descriptor,
  type Digest,
  digestBytes,
  findReferrers,
  type Manifest,
  manifestChildren,
  mediaTypes,
  refersTo,
} from "@mote/core";
import fc from "fast-check";
import { assert, target } from "../target.js";

const digests = Array.from({ length: 8 }, (_, at) => digestBytes(Uint8Array.of(at)));
const descriptor: fc.Arbitrary<Descriptor> = fc.record({
  digest: fc.constantFrom(...digests),
  mediaType: fc.constantFrom(
    mediaTypes.ociManifest,
    mediaTypes.ociIndex,
    mediaTypes.ociLayer,
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
  ),
  size: fc.nat(),
  urls: fc.constantFrom(undefined, [], ["https://elsewhere.example/layer"]),
});
const several = fc.array(descriptor, { maxLength: 5 });
const subject = fc.option(descriptor, { nil: undefined });

/** Manifests whose digests do not match, so that there can be cycles. */
const manifest: fc.Arbitrary<Manifest> = fc.oneof(
  fc.record({
    kind: fc.constant("manifest" as const),
    mediaType: fc.constant(mediaTypes.ociManifest),
    config: descriptor,
    layers: several,
    subject,
  }),
  fc.record({
    kind: fc.constant("index" as const),
    mediaType: fc.constant(mediaTypes.ociIndex),
    manifests: several,
    subject,
  }),
);

export const graph = target(
  "graphs of manifests, with cycles: closureFrom, findReferrers",
  fc.tuple(several, fc.dictionary(fc.constantFrom(...digests), manifest)),
  async ([roots, stored]) => {
    const manifests = new Map(Object.entries(stored) as [Digest, Manifest][]);
    for (const root of roots) {
      const read: Digest[] = [];
      const closure = closureFrom(root, ({ digest }) => {
        read.push(digest);
        const found = manifests.get(digest);
        return found && manifestChildren(found);
      });
      assert(new Set(read).size === read.length, "each manifest is read once");
      for (const digest of closure.manifests) {
        assert(closure.digests.has(digest), "a manifest is in the closure");
        const found = manifests.get(digest);
        const {
          manifests: below,
          blobs,
          foreign,
        } = found ? manifestChildren(found) : { manifests: [], blobs: [], foreign: [] };
        const all = [...below, ...blobs, ...foreign];
        assert(
          all.every((child) => closure.digests.has(child.digest)),
          "everything that a manifest refers to is in the closure",
        );
        assert(
          blobs.every((child) => !closure.foreign.has(child.digest)),
          "required content is not foreign",
        );
      }
    }
    const referrers = await findReferrers(roots, async ({ digest }) => manifests.get(digest));
    for (const [of, list] of referrers) {
      assert(new Set(list.map(({ digest }) => digest)).size === list.length, "a referrer is listed once");
      for (const { digest } of list) {
        const found = manifests.get(digest);
        assert(found !== undefined && refersTo(found, of), "a referrer refers to its subject");
      }
    }
  },
);
