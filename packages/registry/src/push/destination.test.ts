import { digestBytes, mediaTypes } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Intercept, refuse } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf } from "../../test/outcome.js";
import { serve } from "../../test/server.js";
import { serveTokens } from "../../test/token-server.js";
import { RegistryClient } from "../client.js";
import { RegistryDestination } from "./destination.js";

const image = makeImage(1000);
const [layer = image.config] = image.layers;

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Starts a registry in which HEAD finds nothing. */
async function answering(answer: Intercept) {
  const server = await serve((request, response) => {
    request.resume();
    if (request.method === "HEAD") return response.writeHead(404).end();
    return answer(request, response);
  });
  const client = new RegistryClient({ retryDelayMs: 1 });
  opened.push(server, client);
  const destination = new RegistryDestination(client, { registry: server.host, repository: "a/b" });
  const candidate = (repository: string) => ({ transport: "docker", registry: server.host, repository }) as const;
  return { server, destination, candidate };
}

describe("a mount", () => {
  it("requests each repository of this registry once, in order, and closes uploads that are started instead", async () => {
    const { server, destination, candidate } = await answering((request, response) => {
      if (request.method === "DELETE") response.writeHead(204).end();
      else if (request.url?.endsWith("from=x%2Fforbidden")) refuse(response, 403, "DENIED");
      else if (request.url?.endsWith("from=x%2Fhas")) response.writeHead(201).end();
      else response.writeHead(202, { location: "/v2/a/b/blobs/uploads/7" }).end();
      return true;
    });
    const candidates = ["x/lacks", "x/forbidden", "x/lacks", "a/b", "x/has", "x/never"].map(candidate);
    expect(await destination.mount(layer, candidates)).toBe(true);
    const froms = server.seen.filter(({ method }) => method === "POST").map(({ url }) => url.split("from=")[1]);
    expect(froms).toEqual(["x%2Flacks", "x%2Fforbidden", "x%2Fhas"]);
    await expect.poll(() => server.count("DELETE", "/v2/a/b/blobs/uploads/7")).toBe(1);
  });

  it("fails for any response except 201 and for one that starts an upload", async () => {
    const upload = { location: "/v2/a/b/blobs/uploads/7" };
    const blob = { location: `/v2/a/b/blobs/${layer.digest}` };
    for (const [status, headers, isMounted, closes] of [
      [201, blob, true, 0],
      [201, {}, true, 0],
      [201, upload, false, 1],
      [200, blob, false, 0],
      [202, upload, false, 1],
      [202, blob, false, 0],
      [204, {}, false, 0],
      ...[307, 400, 401, 403, 404, 405, 409, 411, 413, 415, 422, 500, 501, 503, 521].map(
        (status) => [status, {}, false, 0] as const,
      ),
    ] as const) {
      const { server, destination, candidate } = await answering((request, response) => {
        response.writeHead(request.method === "DELETE" ? 204 : status, headers).end();
        return true;
      });
      expect([status, await destination.mount(layer, [candidate("x/y")])]).toEqual([status, isMounted]);
      await expect.poll(() => server.count("DELETE", "/7")).toBe(closes);
      expect(server.count("DELETE")).toBe(closes);
    }
  });

  it("without a response is an error, not a rejected mount", async () => {
    const { destination, candidate } = await answering((_, response) => response.socket?.destroy() !== undefined);
    expect(await codeOf(destination.mount(layer, [candidate("x/y")]))).toBe("MOTE_UNREACHABLE");
  });

  it("requests a token for both repositories", async () => {
    const tokens = await serveTokens();
    opened.push(tokens);
    const { destination, candidate } = await answering((request, response) => {
      if (tokens.admits(request, "repository:a/b:pull,push") && tokens.admits(request, "repository:x/y:pull")) {
        response.writeHead(201).end();
      } else {
        refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="http://${tokens.host}/token"` });
      }
      return true;
    });
    expect(await destination.mount(layer, [candidate("x/y")])).toBe(true);
  });
});

describe("a pushed manifest", () => {
  const subject = { mediaType: mediaTypes.ociManifest, digest: digestBytes(new Uint8Array(3)), size: 3 };
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: image.config, layers: [], subject };
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };

  it("with a subject is listed by a registry with a referrers API", async () => {
    const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] });
    const { server, destination } = await answering((request, response) => {
      if (request.method === "GET") response.writeHead(200, { "content-type": mediaTypes.ociIndex }).end(index);
      else response.writeHead(201, { "oci-subject": subject.digest }).end();
      return true;
    });
    for (let times = 0; times < 2; times++) await destination.manifest(descriptor, bytes);
    const sent = server.seen.filter(({ method }) => method !== "HEAD");
    expect(sent.map(({ method, url }) => `${method} ${url.replace("/v2/a/b/", "")}`)).toEqual([
      `PUT manifests/${descriptor.digest}`,
      `GET referrers/${subject.digest}`,
      `PUT manifests/${descriptor.digest}`,
    ]);
    expect(sent[0]?.headers["content-type"]).toBe(mediaTypes.ociManifest);
  });

  it("with a subject is added to the referrers tag if the registry has no referrers API", async () => {
    for (const status of [404, 405, 500, 503]) {
      const { server, destination } = await answering((request, response) => {
        if (request.method === "PUT") response.writeHead(201, { "oci-subject": subject.digest }).end();
        else response.writeHead(request.url?.includes("/referrers/") ? status : 404).end();
        return true;
      });
      await destination.manifest(descriptor, bytes);
      expect([status, server.seen.at(-1)]).toMatchObject([
        status,
        { method: "PUT", url: `/v2/a/b/manifests/${subject.digest.replace(":", "-")}` },
      ]);
    }
  });

  it("is tagged without fetching it", async () => {
    const { server, destination } = await answering((_, response) => response.writeHead(201).end() === response);
    await destination.manifest(image.manifest, image.manifestBytes);
    await destination.tag("v1", image.manifest);
    expect(server.count("GET")).toBe(0);
    expect(server.count("PUT")).toBe(2);
  });

  it("with an algorithm that the registry does not support is stored by its tag, and fails without one", async () => {
    const { server, destination } = await answering((request, response) => {
      if (request.url?.includes("sha512:")) refuse(response, 400, "DIGEST_INVALID");
      else response.writeHead(201, { "docker-content-digest": image.manifest.digest }).end();
      return true;
    });
    const other = { ...image.manifest, digest: digestBytes(image.manifestBytes, "sha512") };
    await destination.manifest(other, image.manifestBytes);
    expect(await codeOf(destination.tag(other.digest, other))).toBe("MOTE_DIGEST_MISMATCH");
    await destination.tag("v1", other);
    expect(server.seen.at(-1)).toMatchObject({ method: "PUT", url: "/v2/a/b/manifests/v1" });
  });

  it("is stored by its digest if it has no tag", async () => {
    const { server, destination } = await answering((_, response) => response.writeHead(201).end() === response);
    await destination.manifest(image.manifest, image.manifestBytes);
    await destination.tag(image.manifest.digest, image.manifest);
    expect(new Set(server.seen.map(({ url }) => url))).toEqual(new Set([`/v2/a/b/manifests/${image.manifest.digest}`]));
    expect(await codeOf(destination.tag(digestBytes(new Uint8Array(1)), image.manifest))).toBe("MOTE_INVALID_NAME");
  });

  it("that is stored with another digest is a digest mismatch", async () => {
    const { destination } = await answering((_, response) => {
      response.writeHead(201, { "docker-content-digest": subject.digest }).end();
      return true;
    });
    expect(await codeOf(destination.manifest(image.manifest, image.manifestBytes))).toBe("MOTE_DIGEST_MISMATCH");
  });

  it("is sent again if the registry is busy", async () => {
    let refused = 0;
    const { server, destination } = await answering((_, response) => {
      if (refused++ === 0) refuse(response, 503, "UNAVAILABLE");
      else response.writeHead(201).end();
      return true;
    });
    await destination.manifest(image.manifest, image.manifestBytes);
    expect(server.count("PUT")).toBe(2);
  });

  it("is sent again, a limited number of times, if the registry does not have its blobs yet", async () => {
    for (const [times, puts] of [
      [1, 2],
      [99, 3],
    ] as const) {
      let left: number = times;
      const { server, destination } = await answering((_, response) => {
        if (left-- > 0) refuse(response, 404, "MANIFEST_BLOB_UNKNOWN");
        else response.writeHead(201).end();
        return true;
      });
      const code = await codeOf(destination.manifest(image.manifest, image.manifestBytes));
      expect([code, server.count("PUT")]).toEqual([times === 1 ? undefined : "MOTE_REGISTRY", puts]);
    }
  });
});
