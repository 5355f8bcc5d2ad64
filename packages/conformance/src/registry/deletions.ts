import { digestBytes, mediaTypes } from "@mote/core";
import type { TestApi } from "../test-api.js";
import { entryOf, type RegistryClient, text } from "./registry-client.js";

/** Tests of "Content Management" (distribution-spec). */
export function deletions({ describe, it, expect }: TestApi, open: () => Promise<RegistryClient>): void {
  const statusOf = async (repository: RegistryClient, method: string, path: string) =>
    (await repository.send(method, path)).status;

  describe("a deletion", () => {
    it("of a tag leaves its manifest and other tags", async () => {
      const repository = await open();
      const image = await repository.pushImage({}, { tag: "1" });
      await repository.pushManifest(image, "2");
      expect(await statusOf(repository, "DELETE", "manifests/1")).toBe(202);
      expect(await statusOf(repository, "GET", "manifests/1")).toBe(404);
      for (const reference of ["2", image.digest])
        expect(await statusOf(repository, "GET", `manifests/${reference}`)).toBe(200);
      expect((await repository.json("tags/list")).tags).toEqual(["2"]);
      expect(await statusOf(repository, "DELETE", "manifests/2")).toBe(202);
      expect(await statusOf(repository, "GET", `manifests/${image.digest}`)).toBe(200);
      expect(await statusOf(repository, "DELETE", "manifests/2")).toBe(404);
    });

    it("of a manifest removes its tags, and no others", async () => {
      const repository = await open();
      const image = await repository.pushImage({}, { tag: "1" });
      await repository.pushManifest(image, "2");
      const other = await repository.pushImage({ annotations: { n: "2" } }, { tag: "other" });
      expect(await statusOf(repository, "DELETE", `manifests/${image.digest}`)).toBe(202);
      for (const reference of ["1", "2", image.digest])
        expect(await statusOf(repository, "GET", `manifests/${reference}`)).toBe(404);
      expect(await statusOf(repository, "GET", `manifests/${other.digest}`)).toBe(200);
      expect((await repository.json("tags/list")).tags).toEqual(["other"]);
      expect(await statusOf(repository, "DELETE", `manifests/${image.digest}`)).toBe(404);
      expect((await repository.pushManifest(image, "1")).status).toBe(201);
      expect(await statusOf(repository, "GET", "manifests/1")).toBe(200);
    });

    it("of a referrer removes it from the referrers of its subject", async () => {
      const repository = await open();
      const subject = entryOf(await repository.pushImage({}, { tag: "1" }));
      const referrer = await repository.pushImage({ subject, artifactType: mediaTypes.octetStream });
      expect((await repository.json(`referrers/${subject.digest}`)).manifests).toEqual([
        { ...entryOf(referrer), artifactType: mediaTypes.octetStream },
      ]);
      expect(await statusOf(repository, "DELETE", `manifests/${referrer.digest}`)).toBe(202);
      expect((await repository.json(`referrers/${subject.digest}`)).manifests).toEqual([]);
    });

    it("of a blob removes it from the repository", async () => {
      const repository = await open();
      const bytes = text("deleted soon");
      const digest = digestBytes(bytes);
      await repository.pushBlob(bytes);
      expect(await statusOf(repository, "DELETE", `blobs/${digest}`)).toBe(202);
      for (const method of ["GET", "HEAD", "DELETE"])
        expect(await statusOf(repository, method, `blobs/${digest}`)).toBe(404);
      await repository.pushBlob(bytes);
      expect(await statusOf(repository, "GET", `blobs/${digest}`)).toBe(200);
    });
  });
}
