import { mediaTypes } from "@mote/core";
import { beforeEach, describe, expect, it } from "vitest";
import { absent, errorOf, imageManifest, manifest, request, source, tags } from "../test/image-handler.js";

describe("lists", () => {
  beforeEach(async () => {
    for (const name of [
      "docker.io/library/app:b",
      "ghcr.io/library/app:a",
      "library/app:c",
      "other:1",
      "digest@sha256:1",
    ]) {
      await tags.tag(name, manifest);
    }
  });

  it("of tags contain each tag of the repository once, in order", async () => {
    const response = await request("/v2/library/app/tags/list");
    expect(await response.json()).toEqual({ name: "library/app", tags: ["c"] });
    expect(response.headers.get("link")).toBeNull();
    const ofHub = { name: "library/app", tags: ["1", "b"] };
    expect(await (await request("/v2/library/app/tags/list?ns=docker.io")).json()).toEqual(ofHub);
    expect(await (await request("/v2/docker.io/library/app/tags/list")).json()).toEqual({
      ...ofHub,
      name: "docker.io/library/app",
    });
    expect(await errorOf("/v2/library/app/tags/list?ns=quay.io")).toEqual([404, "NAME_UNKNOWN"]);
    expect(await errorOf("/v2/unknown/tags/list")).toEqual([404, "NAME_UNKNOWN"]);
  });

  it("are paginated, and their links lead to all pages", async () => {
    const pages: string[][] = [];
    let path: string | undefined = "/v2/library/app/tags/list?n=2&ns=docker.io";
    for (const tag of ["z", "y"]) await tags.tag(`docker.io/library/app:${tag}`, manifest);
    while (path !== undefined) {
      const response = await request(path);
      pages.push(((await response.json()) as { tags: string[] }).tags);
      path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];
    }
    expect(pages).toEqual([
      ["1", "b"],
      ["y", "z"],
    ]);
  });

  it("without entries have no link, and an invalid number is rejected", async () => {
    const response = await request("/v2/library/app/tags/list?n=0");
    expect(await response.json()).toEqual({ name: "library/app", tags: [] });
    expect(response.headers.get("link")).toBeNull();
    expect(await errorOf("/v2/library/app/tags/list?n=-1")).toEqual([400, "PAGINATION_NUMBER_INVALID"]);
  });

  it("of repositories contain only names that a client can pull", async () => {
    await tags.tag("quay.io/alone/app:1", manifest);
    await tags.tag("quay.io/other:1", manifest);
    await tags.tag("quay.io/gone:1", { ...manifest, digest: absent });
    for (const local of [
      "oci:/home/me/secret:1",
      "oci-archive:/srv/secret.tar:1",
      "docker-archive:/srv/secret.tar:team/secret:1",
      "dir:/srv/secret:1",
      "/srv/secret:1",
      "secret",
    ]) {
      await tags.tag(local, manifest);
    }
    const listed = async (query: string) =>
      ((await (await request(`/v2/_catalog${query}`)).json()) as { repositories: string[] }).repositories;
    const all = await listed("");
    expect(all).toEqual([
      "alone/app",
      "docker.io/library/app",
      "ghcr.io/library/app",
      "library/app",
      "other",
      "quay.io/other",
    ]);
    for (const name of all) expect((await request(`/v2/${name}/tags/list`)).status).toBe(200);
    expect(await listed("?ns=quay.io")).toEqual(["alone/app", "other"]);
    expect(await errorOf("/v2/_catalog?ns=unknown.example")).toEqual([404, "NAME_UNKNOWN"]);
    expect((await request("/v2/_catalog?n=1")).headers.get("link")).toBe(
      '</v2/_catalog?n=1&last=alone%2Fapp>; rel="next"',
    );
    for (const path of ["/v2/srv/secret/manifests/1", "/v2/home/me/secret/tags/list", "/v2/team/secret/tags/list"]) {
      expect((await request(path)).status).toBe(404);
    }
  });
});

describe("referrers", () => {
  it("of a digest without referrers, known or not, are an empty index", async () => {
    for (const digest of [manifest.digest, absent]) {
      const response = await request(`/v2/library/app/referrers/${digest}`);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe(mediaTypes.ociIndex);
      expect(await response.json()).toEqual({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] });
    }
    const unknown = await request(`/v2/unknown/referrers/${manifest.digest}`);
    expect([unknown.status, ((await unknown.json()) as { manifests: unknown }).manifests]).toEqual([200, []]);
    expect(await errorOf("/v2/library/app/referrers/1")).toEqual([400, "DIGEST_INVALID"]);
  });

  it("are found from tagged manifests and indexes, and can be filtered by artifact type", async () => {
    const subject = { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.size };
    const signature = source.putManifest(
      imageManifest({ subject, artifactType: "application/vnd.example.signature", annotations: { by: "me" } }),
    );
    const plain = source.putManifest(imageManifest({ subject }));
    const index = source.putManifest({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [plain, plain] });
    await tags.tag("docker.io/library/app:signature", signature);
    await tags.tag("docker.io/library/app:index", index);
    const all = (await (await request(`/v2/library/app/referrers/${manifest.digest}`)).json()) as {
      manifests: object[];
    };
    expect(all.manifests).toHaveLength(2);
    expect(all.manifests).toContainEqual({
      ...signature,
      artifactType: "application/vnd.example.signature",
      annotations: { by: "me" },
    });
    expect(all.manifests).toContainEqual({ ...plain, artifactType: mediaTypes.ociConfig });
    const type = encodeURIComponent("application/vnd.example.signature");
    const filtered = await request(`/v2/library/app/referrers/${manifest.digest}?artifactType=${type}`);
    expect(filtered.headers.get("oci-filters-applied")).toBe("artifactType");
    expect(((await filtered.json()) as { manifests: object[] }).manifests).toHaveLength(1);
  });
});
