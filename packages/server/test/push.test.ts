import { digestBytes, MemoryCache, MemoryTagStore, MoteError, mediaTypes, type PullThrough } from "@mote/core";
import { describe, expect, it } from "vitest";
import { type Access, serve } from "../src/index.js";
import { bytesOf, cache, imageOf, pushBlob, pushImage, request, start } from "./push-setup.js";

describe("a push", () => {
  it("needs a cache that can receive uploads", async () => {
    const memory = new MemoryCache();
    const starting = serve({ source: memory, tags: new MemoryTagStore(), push: memory });
    const error = await starting.catch((reason: unknown) => reason);
    expect(MoteError.isInstance(error) && error.code).toBe("MOTE_CONFIG");
  });

  it("is denied to the repositories of upstreams and registries", async () => {
    const upstream = { upstream: "docker.io", path: "library/app", full: "docker.io/library/app" };
    const pullThrough = {
      upstreams: [],
      fills: [],
      repository: (name: string) => (name === "library/app" ? upstream : undefined),
    } as unknown as PullThrough;
    const server = await start({ pullThrough });
    const digest = digestBytes(bytesOf("x"));
    for (const name of ["library/app", "ghcr.io/acme/app", "localhost:5000/app", "acme/app?ns=ghcr.io"]) {
      const [repository, query] = name.split("?");
      for (const [method, path] of [
        ["POST", "blobs/uploads/"],
        ["PATCH", "blobs/uploads/1"],
        ["PUT", "manifests/1"],
        ["DELETE", "manifests/1"],
        ["DELETE", `blobs/${digest}`],
      ] as const) {
        const { status, codes } = await request(server, method, `/v2/${repository}/${path}?${query ?? ""}`);
        expect([name, method, status, codes]).toEqual([name, method, 403, ["DENIED"]]);
      }
    }
    expect((await pushImage(server, "acme/app", "1")).status).toBe(201);
  });

  it("is denied to web pages, which browsers let send it without asking", async () => {
    const server = await start();
    const bytes = bytesOf("of a page");
    const upload = `${server.url}/v2/team/app/blobs/uploads/?digest=${digestBytes(bytes)}`;
    const push = (headers: Record<string, string>) => fetch(upload, { method: "POST", body: bytes, headers });
    for (const origin of ["https://evil.example", "null", server.url]) {
      expect((await push({ origin, "content-type": "text/plain" })).status).toBe(403);
    }
    expect(await cache.moteExists(digestBytes(bytes))).toBe(false);
    expect((await push({})).status).toBe(201);
  });

  it("needs the permission to push, and a mount that to pull, too", async () => {
    const asked: string[] = [];
    const access: Access = {
      decide: async ({ action, repository = "" }) => {
        asked.push(`${action} ${repository}`);
        if (repository.startsWith("secret/")) return { kind: "denied" };
        return action === "delete" ? { kind: "unauthenticated", challenge: "Basic" } : { kind: "allowed" };
      },
    };
    const { digest } = await pushBlob(await start(), "secret/app", bytesOf("secret"));
    const server = await start({ access });
    expect((await request(server, "POST", "/v2/secret/app/blobs/uploads/")).status).toBe(403);
    expect((await request(server, "DELETE", "/v2/team/app/manifests/1")).status).toBe(401);
    const mount = `/v2/team/app/blobs/uploads/?mount=${digest}&from=secret/app`;
    expect((await request(server, "POST", mount)).status).toBe(202);
    expect(asked).toContain("pull secret/app");
    expect((await request(server, "GET", `/v2/team/app/blobs/${digest}`)).status).toBe(404);
  });

  it("gives a blob to one repository only, and never what the blob itself refers to", async () => {
    const server = await start();
    const secret = await pushImage(server, "secret/app", "1", "a secret layer");
    // The blob of another repository is a manifest that names the secret.
    const { digest } = await pushBlob(server, "team/app", secret.bytes);
    for (const path of [`blobs/${secret.layer}`, "manifests/1"])
      expect((await request(server, "GET", `/v2/team/app/${path}`)).status).toBe(404);
    const stealing = imageOf({ mediaType: mediaTypes.ociConfig, digest: secret.layer, size: 14 }, []);
    const put = await request(server, "PUT", "/v2/team/app/manifests/2", { body: stealing.bytes });
    expect([put.status, put.codes]).toEqual([404, ["MANIFEST_BLOB_UNKNOWN"]]);
    expect((await request(server, "GET", `/v2/team/other/blobs/${digest}`)).status).toBe(404);
    expect((await request(server, "GET", `/v2/team/app/blobs/${digest}`)).status).toBe(200);
  });

  it("is rejected if it refers to content with another size", async () => {
    const server = await start();
    const config = await pushBlob(server, "team/app", bytesOf("{}"));
    const wrong = imageOf({ ...config, mediaType: mediaTypes.ociConfig, size: 3 }, []);
    const put = await request(server, "PUT", "/v2/team/app/manifests/1", { body: wrong.bytes });
    expect([put.status, put.codes]).toEqual([400, ["MANIFEST_INVALID"]]);
  });

  it("of blobs survives a prune until their manifest arrives", async () => {
    const server = await start();
    const config = await pushBlob(server, "team/app", bytesOf("{}"));
    const layer = await pushBlob(server, "team/app", bytesOf("a layer"));
    await cache.prune(0);
    const image = imageOf({ ...config, mediaType: mediaTypes.ociConfig }, [layer]);
    expect((await request(server, "PUT", "/v2/team/app/manifests/1", { body: image.bytes })).status).toBe(201);
    await cache.prune(0);
    expect((await request(server, "GET", `/v2/team/app/blobs/${layer.digest}`)).text).toBe("a layer");
  });

  it("goes to a local repository, which then goes before a registry's one with the same path", async () => {
    const server = await start();
    const theirs = await pushImage(server, "staging/app", "1", "theirs");
    const descriptor = { mediaType: mediaTypes.ociManifest, digest: theirs.digest, size: theirs.bytes.byteLength };
    await cache.tags.tag("docker.io/library/app:1", descriptor);
    expect((await request(server, "GET", "/v2/library/app/manifests/1")).status).toBe(200);
    const ours = await pushImage(server, "library/app", "1", "ours");
    const { headers } = await request(server, "GET", "/v2/library/app/manifests/1");
    expect(headers.get("docker-content-digest")).toBe(ours.digest);
    const named = await request(server, "GET", "/v2/library/app/manifests/1?ns=docker.io");
    expect(named.headers.get("docker-content-digest")).toBe(theirs.digest);
  });
});

describe("a deletion", () => {
  it("leaves what other repositories have", async () => {
    const server = await start();
    const image = await pushImage(server, "one/app", "1");
    await pushImage(server, "other/app", "1");
    expect((await request(server, "DELETE", `/v2/one/app/manifests/${image.digest}`)).status).toBe(202);
    expect((await request(server, "DELETE", `/v2/one/app/blobs/${image.layer}`)).status).toBe(202);
    expect((await request(server, "GET", "/v2/one/app/tags/list")).status).toBe(404);
    for (const path of ["manifests/1", `manifests/${image.digest}`, `blobs/${image.layer}`]) {
      expect((await request(server, "GET", `/v2/one/app/${path}`)).status).toBe(404);
      expect((await request(server, "GET", `/v2/other/app/${path}`)).status).toBe(200);
    }
  });

  it("is rejected for content that a manifest of the repository refers to", async () => {
    const server = await start();
    const image = await pushImage(server, "team/app", "1");
    const entry = { mediaType: mediaTypes.ociManifest, digest: image.digest, size: image.bytes.byteLength };
    const index = bytesOf(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] }));
    await request(server, "PUT", "/v2/team/app/manifests/all", { body: index });
    for (const path of [`blobs/${image.layer}`, `manifests/${image.digest}`]) {
      const { status, codes } = await request(server, "DELETE", `/v2/team/app/${path}`);
      expect([path, status, codes]).toEqual([path, 405, ["UNSUPPORTED"]]);
    }
    expect((await request(server, "DELETE", `/v2/team/app/manifests/${digestBytes(index)}`)).status).toBe(202);
    expect((await request(server, "DELETE", `/v2/team/app/manifests/${image.digest}`)).status).toBe(202);
    expect((await request(server, "DELETE", `/v2/team/app/blobs/${image.layer}`)).status).toBe(202);
  });
});
