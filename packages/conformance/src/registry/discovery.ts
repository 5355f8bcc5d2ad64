import { digestBytes, mediaTypes } from "@mote/core";
import { entryOf, manifestOf, type RegistryClient, type RegistryTests, text } from "./registry-client.js";

/** Tests of "Content Discovery" (distribution-spec): tags and referrers. */
export function discovery({ describe, it, expect, open, test }: RegistryTests): void {
  const referrersOf = async (repository: RegistryClient, digest: string, query = "") => {
    const answer = await repository.send("GET", `referrers/${digest}${query}`);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, mediaTypes.ociIndex]);
    const { manifests } = JSON.parse(new TextDecoder().decode(answer.bytes)) as { manifests: { digest: string }[] };
    return { manifests, filters: answer.headers.get("oci-filters-applied") };
  };

  describe("the tags of a repository", () => {
    test("are listed in order, and in pages", async (repository) => {
      const image = await repository.pushImage();
      for (const tag of ["c", "a", "b", "d"]) await repository.pushManifest(image, tag);
      expect(await repository.json("tags/list")).toEqual({ name: repository.name, tags: ["a", "b", "c", "d"] });
      const page = await repository.send("GET", "tags/list?n=2");
      expect(JSON.parse(new TextDecoder().decode(page.bytes)).tags).toEqual(["a", "b"]);
      const [, next = ""] = /^<([^>]+)>; *rel="?next"?$/.exec(page.headers.get("link") ?? "") ?? [];
      const { tags } = await repository.json(next);
      expect(tags).toEqual(["c", "d"]);
      expect((await repository.json("tags/list?last=b")).tags).toEqual(["c", "d"]);
      const none = await repository.send("GET", "tags/list?n=0");
      expect([JSON.parse(new TextDecoder().decode(none.bytes)).tags, none.headers.get("link")]).toEqual([[], null]);
    });

    it("of a repository that does not exist are not found", async () => {
      const answer = await (await open()).send("GET", "tags/list");
      expect([answer.status, answer.codes]).toEqual([404, ["NAME_UNKNOWN"]]);
    });
  });

  describe("the referrers of a manifest", () => {
    test("are listed as soon as they are pushed, with their types and annotations", async (repository) => {
      const subject = entryOf(await repository.pushImage());
      const annotations = { of: "the referrer" };
      const fields = {
        mediaType: mediaTypes.ociIndex,
        manifests: [],
        subject,
        annotations,
        artifactType: "application/b",
      };
      const index = manifestOf(fields);
      const artifact = await repository.pushImage({ artifactType: "application/a", subject, annotations });
      const answer = await repository.pushManifest(index, index.digest);
      expect([answer.status, answer.headers.get("oci-subject")]).toEqual([201, subject.digest]);
      const { manifests } = await referrersOf(repository, subject.digest);
      expect(
        manifests.toSorted((a, b) => (a.digest === artifact.digest ? -1 : b.digest === artifact.digest ? 1 : 0)),
      ).toEqual([
        { ...entryOf(artifact), artifactType: "application/a", annotations },
        { ...entryOf(index), artifactType: "application/b", annotations },
      ]);
      const filtered = await referrersOf(repository, subject.digest, "?artifactType=application%2Fa");
      expect(filtered.manifests.map(({ digest }) => digest)).toEqual([artifact.digest]);
      expect([null, "artifactType"].includes(filtered.filters)).toBe(true);
    });

    test("may be pushed before their subject, which need not exist", async (repository) => {
      const subject = {
        ...entryOf(manifestOf({ mediaType: mediaTypes.ociManifest })),
        digest: digestBytes(text("later")),
      };
      const referrer = await repository.pushImage({ subject }, { tag: "referrer" });
      expect((await repository.send("GET", `manifests/${referrer.digest}`)).status).toBe(200);
      const { manifests } = await referrersOf(repository, subject.digest);
      expect(manifests.map(({ digest }) => digest)).toEqual([referrer.digest]);
    });

    test("are an empty index if there are none, also in a repository that does not exist", async (repository) => {
      expect((await referrersOf(repository, digestBytes(text("none")))).manifests).toEqual([]);
      expect(await repository.status("GET", "referrers/none")).toBe(400);
    });
  });
}
