import { digestBytes, maxManifestBytes, mediaTypes } from "@mote/core";
import {
  descriptorOf,
  entryOf,
  locationOf,
  manifestOf,
  type Pushed,
  type RegistryClient,
  type RegistryTests,
  text,
} from "./registry-client.js";

/** Tests of "Pushing Manifests" and "Pulling manifests" (distribution-spec). */
export function manifestPushes({ describe, expect, test }: RegistryTests): void {
  const expectPulled = async (repository: RegistryClient, { bytes, digest, mediaType }: Pushed, reference: string) => {
    for (const method of ["GET", "HEAD"]) {
      const { status, headers, bytes: body } = await repository.send(method, `manifests/${reference}`);
      const facts = [status, headers.get("content-type"), headers.get("docker-content-digest")];
      expect(facts).toEqual([200, mediaType, digest]);
      expect(headers.get("content-length")).toBe(String(bytes.byteLength));
      if (method === "GET") expect(digestBytes(body)).toBe(digestBytes(bytes));
    }
  };
  const index = (entries: readonly object[], fields: object = {}) =>
    manifestOf({ mediaType: mediaTypes.ociIndex, manifests: entries, ...fields });

  describe("a pushed manifest", () => {
    test("is served by tag and by digest, byte for byte", async (repository) => {
      const image = await repository.pushImage({ annotations: { a: "b" }, unknown: { field: [1, null] } });
      await expectPulled(repository, image, image.digest);
      for (const tag of ["1", "latest", "A_b.c-d"]) {
        const answer = await repository.pushManifest(image, tag);
        expect([answer.status, answer.headers.get("docker-content-digest")]).toEqual([201, image.digest]);
        expect(await repository.status("GET", locationOf(answer))).toBe(200);
        await expectPulled(repository, image, tag);
      }
    });

    test("does not exist before it is pushed", async (repository) => {
      for (const reference of ["1", digestBytes(text("none"))]) {
        const answer = await repository.send("GET", `manifests/${reference}`);
        expect([answer.status, answer.codes]).toEqual([404, ["MANIFEST_UNKNOWN"]]);
      }
    });

    test("may be an index, an index of indexes, empty, an artifact, or without layers", async (repository) => {
      const image = await repository.pushImage();
      await repository.pushImage({ layers: [] }, { tag: "none" });
      const artifact = await repository.pushImage({ artifactType: "application/vnd.example" }, { tag: "artifact" });
      await expectPulled(repository, artifact, artifact.digest);
      const inner = index([entryOf(image), entryOf(artifact)]);
      for (const each of [inner, index([entryOf(inner)]), index([]), index([], { artifactType: "application/x" })]) {
        expect((await repository.pushManifest(each, "index")).status).toBe(201);
        await expectPulled(repository, each, "index");
      }
    });

    test("moves a tag, and the former manifest stays available by its digest", async (repository) => {
      const first = await repository.pushImage({}, { tag: "1" });
      const second = await repository.pushImage({ annotations: { n: "2" } }, { tag: "1" });
      await expectPulled(repository, second, "1");
      await expectPulled(repository, first, first.digest);
    });

    test("is rejected if the repository lacks what it refers to, and its tag does not move", async (repository) => {
      const image = await repository.pushImage({}, { tag: "1" });
      const absent = descriptorOf(text("not pushed"), mediaTypes.ociLayer);
      for (const bad of [
        manifestOf({ mediaType: mediaTypes.ociManifest, config: absent, layers: [] }),
        index([{ ...absent, mediaType: mediaTypes.ociManifest }]),
      ]) {
        const answer = await repository.pushManifest(bad, "1");
        expect([answer.status, answer.codes.includes("MANIFEST_BLOB_UNKNOWN")]).toEqual([404, true]);
        expect((await repository.send("GET", `manifests/${bad.digest}`)).status).toBe(404);
      }
      await expectPulled(repository, image, "1");
    });

    test("may refer to layers that are not distributable, which are never pushed", async (repository) => {
      const foreign = {
        ...descriptorOf(text("elsewhere"), "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
        urls: ["https://example.com/layer"],
      };
      const image = await repository.pushImage({ layers: [foreign] }, { tag: "foreign" });
      await expectPulled(repository, image, "foreign");
    });

    test("is rejected with a digest, media type, tag or body that is not valid", async (repository) => {
      const image = await repository.pushImage();
      const other = digestBytes(text("other"));
      const wrongDigest = await repository.pushManifest(image, other);
      expect([wrongDigest.status, wrongDigest.codes]).toEqual([400, ["DIGEST_INVALID"]]);
      const wrongType = await repository.pushManifest({ ...image, mediaType: mediaTypes.ociIndex }, "1");
      expect([wrongType.status, wrongType.codes]).toEqual([400, ["MANIFEST_INVALID"]]);
      for (const body of ["", "{", "[]", "null", '{"schemaVersion":2}', '{"config":{},"manifests":[]}']) {
        const answer = await repository.pushManifest({ bytes: text(body), mediaType: mediaTypes.ociManifest }, "1");
        expect([body, answer.status, answer.codes]).toEqual([body, 400, ["MANIFEST_INVALID"]]);
      }
      for (const tag of ["-x", ".x", "a".repeat(129), "a%20b"]) {
        expect((await repository.pushManifest(image, tag)).status).toBe(400);
      }
      expect(await repository.status("GET", "manifests/1")).toBe(404);
    });

    test("may have 4 megabytes and no more", async (repository) => {
      const empty = manifestOf({ mediaType: mediaTypes.ociIndex, manifests: [], annotations: { a: "" } });
      const fill = "x".repeat(4_000_000 - empty.bytes.byteLength);
      const large = manifestOf({ mediaType: mediaTypes.ociIndex, manifests: [], annotations: { a: fill } });
      expect((await repository.pushManifest(large, "large")).status).toBe(201);
      await expectPulled(repository, large, "large");
      const larger = { bytes: new Uint8Array(maxManifestBytes + 1).fill(32), mediaType: mediaTypes.ociIndex };
      expect((await repository.pushManifest(larger, "larger")).status).toBe(413);
    });

    test("sets the tags in the query of a push by digest", async (repository) => {
      const image = await repository.pushImage();
      const answer = await repository.pushManifest(image, `${image.digest}?tag=a&tag=b`);
      expect([answer.status, answer.headers.get("oci-tag")]).toEqual([201, "a, b"]);
      for (const tag of ["a", "b"]) await expectPulled(repository, image, tag);
    });
  });
}
