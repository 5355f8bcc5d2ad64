import { digestBytes, mediaTypes } from "@mote/core";
import { entryOf, type RegistryTests, text } from "./registry-client.js";

/** Tests of "Content Management" (distribution-spec). */
export function deletions({ describe, expect, test }: RegistryTests): void {
  describe("a deletion", () => {
    test("of a tag leaves its manifest and other tags", async (repository) => {
      const image = await repository.pushImage({}, { tag: "1" });
      await repository.pushManifest(image, "2");
      expect(await repository.status("DELETE", "manifests/1")).toBe(202);
      expect(await repository.status("GET", "manifests/1")).toBe(404);
      for (const reference of ["2", image.digest])
        expect(await repository.status("GET", `manifests/${reference}`)).toBe(200);
      expect((await repository.json("tags/list")).tags).toEqual(["2"]);
      expect(await repository.status("DELETE", "manifests/2")).toBe(202);
      expect(await repository.status("GET", `manifests/${image.digest}`)).toBe(200);
      expect(await repository.status("DELETE", "manifests/2")).toBe(404);
    });

    test("of a manifest removes its tags, and no others", async (repository) => {
      const image = await repository.pushImage({}, { tag: "1" });
      await repository.pushManifest(image, "2");
      const other = await repository.pushImage({ annotations: { n: "2" } }, { tag: "other" });
      expect(await repository.status("DELETE", `manifests/${image.digest}`)).toBe(202);
      for (const reference of ["1", "2", image.digest])
        expect(await repository.status("GET", `manifests/${reference}`)).toBe(404);
      expect(await repository.status("GET", `manifests/${other.digest}`)).toBe(200);
      expect((await repository.json("tags/list")).tags).toEqual(["other"]);
      expect(await repository.status("DELETE", `manifests/${image.digest}`)).toBe(404);
      expect((await repository.pushManifest(image, "1")).status).toBe(201);
      expect(await repository.status("GET", "manifests/1")).toBe(200);
    });

    test("of a referrer removes it from the referrers of its subject", async (repository) => {
      const subject = entryOf(await repository.pushImage({}, { tag: "1" }));
      const referrer = await repository.pushImage({ subject, artifactType: mediaTypes.octetStream });
      expect((await repository.json(`referrers/${subject.digest}`)).manifests).toEqual([
        { ...entryOf(referrer), artifactType: mediaTypes.octetStream },
      ]);
      expect(await repository.status("DELETE", `manifests/${referrer.digest}`)).toBe(202);
      expect((await repository.json(`referrers/${subject.digest}`)).manifests).toEqual([]);
    });

    test("of a blob removes it from the repository", async (repository) => {
      const bytes = text("deleted soon");
      const digest = digestBytes(bytes);
      await repository.pushBlob(bytes);
      expect(await repository.status("DELETE", `blobs/${digest}`)).toBe(202);
      for (const method of ["GET", "HEAD", "DELETE"])
        expect(await repository.status(method, `blobs/${digest}`)).toBe(404);
      await repository.pushBlob(bytes);
      expect(await repository.status("GET", `blobs/${digest}`)).toBe(200);
    });
  });
}
