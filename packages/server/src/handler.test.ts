import { digestBytes, mediaTypes } from "@mote/core";
import { describe, expect, it } from "vitest";
import {
  absent,
  encoder,
  errorOf,
  imageManifest,
  layer,
  layerBytes,
  manifest,
  request,
  source,
  tags,
} from "../test/image-handler.js";

describe("the endpoint", () => {
  it("supports version 2 and says so in every response", async () => {
    for (const path of ["/v2/", "/v2", "/nothing/here", "/v2/library/app/manifests/1"]) {
      expect((await request(path)).headers.get("docker-distribution-api-version")).toBe("registry/2.0");
    }
    expect((await request("/v2/")).status).toBe(200);
  });

  it("rejects writes", async () => {
    for (const [method, path] of [
      ["POST", "/v2/library/app/blobs/uploads/"],
      ["PUT", "/v2/library/app/manifests/1"],
      ["PATCH", "/v2/library/app/blobs/uploads/1"],
      ["DELETE", `/v2/library/app/blobs/${layer}`],
    ] as const) {
      expect(await errorOf(path, { method })).toEqual([405, "UNSUPPORTED"]);
    }
  });

  it("responds to HEAD with the headers of GET and no body", async () => {
    for (const path of [
      "/v2/library/app/manifests/1",
      `/v2/library/app/manifests/${manifest.digest}`,
      `/v2/library/app/blobs/${layer}`,
      "/v2/library/app/tags/list",
      "/v2/library/app/manifests/absent",
    ]) {
      const [get, head] = await Promise.all([request(path), request(path, { method: "HEAD" })]);
      expect(head.status).toBe(get.status);
      expect([...head.headers]).toEqual([...get.headers]);
      expect((await head.arrayBuffer()).byteLength).toBe(0);
      await get.arrayBuffer();
    }
    expect(source.openReaders).toBe(0);
  });

  it("decodes percent-encoded paths and rejects invalid encodings", async () => {
    expect((await request(`/v2/library/app/manifests/${encodeURIComponent(manifest.digest)}`)).status).toBe(200);
    expect(await errorOf("/v2/library/app/manifests/%ff")).toEqual([400, "NAME_INVALID"]);
  });
});

describe("a manifest", () => {
  it("is served unchanged by tag and by digest, with its own media type", async () => {
    for (const reference of ["1", manifest.digest]) {
      const response = await request(`/v2/library/app/manifests/${reference}`);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe(mediaTypes.ociManifest);
      expect(response.headers.get("docker-content-digest")).toBe(manifest.digest);
      expect(response.headers.get("content-length")).toBe(String(manifest.size));
      expect(digestBytes(new Uint8Array(await response.arrayBuffer()))).toBe(manifest.digest);
    }
  });

  it("without a media type is served with the type that its fields imply", async () => {
    const bare = source.putManifest({ schemaVersion: 2, manifests: [] });
    await tags.tag("docker.io/library/app:bare", bare);
    const response = await request(`/v2/library/app/manifests/${bare.digest}`);
    expect(response.headers.get("content-type")).toBe(mediaTypes.ociIndex);
  });

  it("of an unknown media type is served by its tag with the type in the tag's descriptor", async () => {
    const odd = { ...source.putManifest({ odd: true }), mediaType: "application/vnd.example.odd+json" };
    await tags.tag("odd:1", odd);
    expect((await request("/v2/odd/manifests/1")).headers.get("content-type")).toBe(odd.mediaType);
    expect(await errorOf(`/v2/odd/manifests/${odd.digest}`)).toEqual([404, "MANIFEST_UNKNOWN"]);
  });

  it("is not sent again if the client has it", async () => {
    const headers = { "if-none-match": `"other", "${manifest.digest}"` };
    const response = await request("/v2/library/app/manifests/1", { headers });
    expect(response.status).toBe(304);
    expect(response.headers.get("etag")).toBe(`"${manifest.digest}"`);
  });

  it.each([
    ["a missing tag", "/v2/library/app/manifests/2", 404, "MANIFEST_UNKNOWN"],
    ["a missing repository", "/v2/library/other/manifests/1", 404, "MANIFEST_UNKNOWN"],
    ["a missing digest", `/v2/library/app/manifests/${absent}`, 404, "MANIFEST_UNKNOWN"],
    ["a malformed tag", "/v2/library/app/manifests/-", 404, "MANIFEST_UNKNOWN"],
    ["a malformed digest", "/v2/library/app/manifests/sha256:12", 400, "DIGEST_INVALID"],
    ["an unsupported algorithm", "/v2/library/app/manifests/md5:aa", 400, "DIGEST_INVALID"],
    ["an upper-case name", "/v2/Library/app/manifests/1", 400, "NAME_INVALID"],
    ["a name with an empty part", "/v2/library//app/manifests/1", 400, "NAME_INVALID"],
    ["a name that is too long", `/v2/${"a".repeat(256)}/manifests/1`, 400, "NAME_INVALID"],
  ])("is an error for %s", async (_, path, status, code) => {
    expect(await errorOf(path)).toEqual([status, code]);
  });

  it("that was removed or is damaged is not sent", async () => {
    source.plant(manifest.digest, encoder.encode("{}"));
    expect(await errorOf("/v2/library/app/manifests/1")).toEqual([500, "UNKNOWN"]);
    source.drop(manifest.digest);
    expect(await errorOf("/v2/library/app/manifests/1")).toEqual([404, "MANIFEST_UNKNOWN"]);
  });

  it("is not read from a large blob", async () => {
    const large = source.put(new Uint8Array(5 * 1024 * 1024));
    expect(await errorOf(`/v2/library/app/manifests/${large}`)).toEqual([404, "MANIFEST_UNKNOWN"]);
  });
});

describe("a tag", () => {
  it("is found only under the requested upstream", async () => {
    const theirs = source.putManifest(imageManifest({ annotations: { from: "ghcr.io" } }));
    await tags.tag("ghcr.io/library/app:1", theirs);
    const digestOf = async (path: string) => (await request(path)).headers.get("docker-content-digest");
    expect(await digestOf("/v2/library/app/manifests/1?ns=docker.io")).toBe(manifest.digest);
    expect(await digestOf("/v2/library/app/manifests/1?ns=ghcr.io")).toBe(theirs.digest);
    expect(await errorOf("/v2/library/app/manifests/1?ns=quay.io")).toEqual([404, "MANIFEST_UNKNOWN"]);
  });

  it("of a repository that several registries have is not found unless the registry is given", async () => {
    const absentTag = await (await request("/v2/library/other/manifests/1")).json();
    await tags.tag("ghcr.io/library/app:2", source.putManifest(imageManifest({ annotations: {} })));
    for (const tag of ["1", "2"]) {
      const response = await request(`/v2/library/app/manifests/${tag}`);
      expect(response.status).toBe(404);
      expect(JSON.stringify(await response.json())).toBe(
        JSON.stringify(absentTag).replace("library/other", "library/app").replace('"1"', `"${tag}"`),
      );
    }
    expect((await request("/v2/docker.io/library/app/manifests/1")).status).toBe(200);
    expect((await request("/v2/ghcr.io/library/app/manifests/1")).status).toBe(404);
    expect((await request("/v2/library/app/manifests/1?ns=docker.io")).status).toBe(200);
  });

  it("without a registry takes precedence over tags with registries", async () => {
    const own = source.putManifest(imageManifest({ annotations: { from: "here" } }));
    await tags.tag("library/app:1", own);
    expect((await request("/v2/library/app/manifests/1")).headers.get("docker-content-digest")).toBe(own.digest);
    expect((await request("/v2/library/app/manifests/1?ns=library")).status).toBe(404);
  });
});

describe("a blob", () => {
  it("is served completely, and its reader is closed", async () => {
    const response = await request(`/v2/library/app/blobs/${layer}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe(String(layerBytes.byteLength));
    expect(response.headers.get("docker-content-digest")).toBe(layer);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(layerBytes);
    expect(source.openReaders).toBe(0);
  });

  it("that is empty is served without an error", async () => {
    const empty = { mediaType: mediaTypes.ociLayer, digest: source.put(new Uint8Array(0)), size: 0 };
    await tags.tag("docker.io/library/app:empty", source.putManifest(imageManifest({ layers: [empty] })));
    const response = await request(`/v2/library/app/blobs/${empty.digest}`);
    expect(response.headers.get("content-length")).toBe("0");
    expect((await response.arrayBuffer()).byteLength).toBe(0);
  });

  it.each([
    ["bytes=0-9", 0, 10],
    ["bytes=19990-", 19990, 20000],
    ["bytes=19990-99999", 19990, 20000],
    ["bytes=-10", 19990, 20000],
    ["bytes=-99999", 0, 20000],
    ["bytes=4095-8192", 4095, 8193],
  ])("is served partially for %s", async (range, start, end) => {
    const response = await request(`/v2/library/app/blobs/${layer}`, { headers: { range } });
    expect(response.status).toBe(206);
    expect(response.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/20000`);
    expect(response.headers.get("content-length")).toBe(String(end - start));
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(layerBytes.subarray(start, end));
  });

  it("is served with its own URL in Location, from which Ollama reads its ranges", async () => {
    const path = `/v2/library/app/blobs/${layer}`;
    for (const method of ["GET", "HEAD"]) {
      const response = await request(path, { method });
      expect(response.status).toBe(200);
      const location = response.headers.get("location") ?? "";
      expect(new URL(location, `http://registry.example${path}`).pathname).toBe(path);
    }
    expect((await request(path, { headers: { range: "bytes=0-9" } })).headers.get("location")).toBeNull();
    expect((await request(`${path}?ns=docker.io`)).headers.get("location")).toBeNull();
  });

  it.each(["bytes=20000-", "bytes=20000-20001", "bytes=-0"])("cannot satisfy %s", async (range) => {
    const response = await request(`/v2/library/app/blobs/${layer}`, { headers: { range } });
    expect(response.status).toBe(416);
    expect(response.headers.get("content-range")).toBe("bytes */20000");
  });

  it.each(["bytes=9-0", "bytes=0-1,3-4", "bytes=-", "bytes=a-b", "lines=0-1"])(
    "is served completely for %s, which is not a single range of bytes",
    async (range) => {
      expect((await request(`/v2/library/app/blobs/${layer}`, { headers: { range } })).status).toBe(200);
    },
  );

  it("is served partially only if If-Range matches", async () => {
    const of = async (condition: string) => {
      const headers = { range: "bytes=5-", "if-range": condition };
      const response = await request(`/v2/library/app/blobs/${layer}`, { headers });
      await response.arrayBuffer();
      return response.status;
    };
    expect(await of(`"${layer}"`)).toBe(206);
    expect(await of('"another"')).toBe(200);
  });

  it("is neither opened nor sent again if the client has it", async () => {
    const headers = { "if-none-match": `"${layer}"` };
    expect((await request(`/v2/library/app/blobs/${layer}`, { headers })).status).toBe(304);
    expect(source.opened).not.toContain(layer);
  });

  it("that is missing or has an invalid digest is an error", async () => {
    expect(await errorOf(`/v2/library/app/blobs/${absent}`)).toEqual([404, "BLOB_UNKNOWN"]);
    expect(await errorOf("/v2/library/app/blobs/latest")).toEqual([400, "DIGEST_INVALID"]);
  });

  it("that is damaged ends before the client has received all bytes", async () => {
    source.plant(layer, encoder.encode("0123456789".repeat(2000)).fill(0, 10, 20));
    const response = await request(`/v2/library/app/blobs/${layer}`);
    const got: Uint8Array[] = [];
    const read = async () => {
      for await (const chunk of response.body ?? []) got.push(chunk);
    };
    await expect(read()).rejects.toHaveProperty("code", "MOTE_CORRUPT");
    expect(got.reduce((sum, chunk) => sum + chunk.byteLength, 0)).toBeLessThan(layerBytes.byteLength);
    expect(source.openReaders).toBe(0);
  });

  it("has its reader closed when the client disconnects", async () => {
    const response = await request(`/v2/library/app/blobs/${layer}`);
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect(source.openReaders).toBe(0);
  });
});
