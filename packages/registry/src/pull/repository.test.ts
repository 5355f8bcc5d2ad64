import { digestBytes, mediaTypes, parseManifest } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Intercept, refuse, serveImage } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf } from "../../test/outcome.js";
import { serve, type TestServer } from "../../test/server.js";
import { RegistryClient } from "../client.js";
import { RegistryRepository } from "./repository.js";

const image = makeImage(1000);
const text = (value: string) => new TextEncoder().encode(value);

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function start(intercept?: Intercept): Promise<{ server: TestServer; repository: RegistryRepository }> {
  const server = await serveImage(image, intercept);
  const client = new RegistryClient({ retryDelayMs: 1 });
  opened.push(server, client);
  return { server, repository: new RegistryRepository(client, { registry: server.host, repository: "a/b" }) };
}

describe("a reference", () => {
  it("is resolved by one HEAD that accepts every type of manifest", async () => {
    const { server, repository } = await start();
    expect(await repository.resolve("v1")).toEqual(image.manifest);
    expect(await repository.resolve(image.manifest.digest)).toEqual(image.manifest);
    expect(server.count("HEAD")).toBe(2);
    expect(server.seen).toHaveLength(2);
    expect(server.seen[0]?.headers.accept).toContain(mediaTypes.dockerManifestList);
  });

  it("of this repository is resolved, and of others rejected", async () => {
    const { server, repository } = await start();
    const here = { transport: "docker", registry: server.host, repository: "a/b" } as const;
    expect(await repository.resolve(here)).toEqual(image.manifest);
    expect(await repository.resolve({ ...here, tag: "absent", digest: image.manifest.digest })).toEqual(image.manifest);
    expect(server.seen.map(({ url }) => url.split("/").at(-1))).toEqual(["latest", image.manifest.digest]);
    for (const elsewhere of [
      { ...here, repository: "a/c" },
      { ...here, registry: "registry.example" },
      { transport: "oci", path: "a/b" } as const,
    ]) {
      expect(await codeOf(repository.resolve(elsewhere))).toBe("MOTE_INVALID_REFERENCE");
    }
  });

  it("that is neither a tag nor a digest is rejected before a request", async () => {
    const { server, repository } = await start();
    for (const name of ["", "a/b", "..", "a?b", "-x", "a".repeat(129), "a%2fb"]) {
      expect([name, await codeOf(repository.resolve(name))]).toEqual([name, "MOTE_INVALID_REFERENCE"]);
    }
    expect(await codeOf(repository.resolve("sha256:12"))).toBe("MOTE_INVALID_DIGEST");
    expect(server.seen).toHaveLength(0);
  });

  it("that is absent is not found, and the error says what and where", async () => {
    const { server, repository } = await start();
    await expect(repository.resolve("absent")).rejects.toMatchObject({
      code: "MOTE_NOT_FOUND",
      details: { registry: server.host, repository: "a/b", reference: "absent", status: 404 },
    });
  });

  it("is resolved by GET if HEAD fails or has no digest, type or length", async () => {
    const answers: Intercept[] = [
      ...[400, 403, 404, 405, 406, 408, 412, 500, 501, 503, 520].map(
        (status): Intercept =>
          (_, response) =>
            response.writeHead(status).end() === response,
      ),
      (_, response) => response.writeHead(200).end() === response,
      (_, response) => response.writeHead(200, { "content-type": mediaTypes.ociManifest }).end() === response,
    ];
    for (const answer of answers) {
      const { server, repository } = await start(
        (request, response) => request.method === "HEAD" && answer(request, response),
      );
      expect(await repository.resolve("v1")).toEqual(image.manifest);
      expect([server.count("HEAD"), server.count("GET")]).toEqual([1, 1]);
    }
  });

  it("has the digest of its bytes if the registry sends none", async () => {
    const { repository } = await start((_, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end(image.manifestBytes);
      return true;
    });
    expect(await repository.resolve("v1")).toEqual(image.manifest);
  });

  it("with other bytes than its digest is a digest mismatch", async () => {
    const other = text("{}");
    const headers = { "content-type": mediaTypes.ociManifest, "docker-content-digest": image.manifest.digest };
    const { repository } = await start((request, response) => {
      if (request.method === "HEAD") response.writeHead(405).end();
      else response.writeHead(200, headers).end(other);
      return true;
    });
    expect(await codeOf(repository.resolve("v1"))).toBe("MOTE_DIGEST_MISMATCH");
    const head = await start((_, response) => {
      response.writeHead(200, { ...headers, "docker-content-digest": digestBytes(other), "content-length": 2 }).end();
      return true;
    });
    expect(await codeOf(head.repository.resolve(image.manifest.digest))).toBe("MOTE_DIGEST_MISMATCH");
  });

  it("with another digest header resolves to the manifest of that digest, or is rejected", async () => {
    const other = makeImage(1001);
    for (const algorithm of ["sha256", "sha512"] as const) {
      for (const isThere of [true, false]) {
        const said = digestBytes(other.manifestBytes, algorithm);
        const { repository } = await start((request, response) => {
          const isAsked = request.url?.endsWith(said) ?? false;
          if (isAsked && !isThere) return refuse(response, 404, "MANIFEST_UNKNOWN") === undefined;
          const headers = { "content-type": mediaTypes.ociManifest, "docker-content-digest": said };
          response.writeHead(200, headers).end(isAsked ? other.manifestBytes : image.manifestBytes);
          return true;
        });
        const loading = repository.load("v1");
        if (isThere) expect(await loading).toMatchObject({ descriptor: { digest: said }, bytes: other.manifestBytes });
        else expect(await codeOf(loading)).toBe("MOTE_DIGEST_MISMATCH");
      }
    }
  });

  it("from a server that is not a registry is an error that says so", async () => {
    const page = "<!doctype html><title>Log in</title>";
    const { repository } = await start((_, response) => {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page);
      return true;
    });
    expect(await codeOf(repository.resolve("v1"))).toBe("MOTE_REGISTRY");
    expect(await codeOf(repository.manifest(image.manifest))).toBe("MOTE_REGISTRY");
  });

  it("has the media type in the body of the manifest", async () => {
    const labels = [
      "binary/octet-stream",
      "application/x-gzip",
      "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ];
    for (const type of [...labels, "application/vnd.acme+json", "APPLICATION/JSON; charset=UTF-8", "", "?"]) {
      const { repository } = await start((_, response) => {
        response.writeHead(200, { "content-type": type }).end(image.manifestBytes);
        return true;
      });
      expect(await repository.resolve("v1"), type).toEqual(image.manifest);
    }
  });

  it("to a manifest that is not JSON or has an unknown format is an invalid manifest", async () => {
    const answers: [string, string][] = [
      ["application/json", "this is not JSON"],
      ["application/json", '{"hello":"world"}'],
      ["application/vnd.docker.distribution.manifest.v1+prettyjws", "{}"],
    ];
    for (const [type, body] of answers) {
      const { repository } = await start((_, response) => {
        response.writeHead(200, { "content-type": type }).end(body);
        return true;
      });
      await expect(repository.resolve("v1")).rejects.toMatchObject({
        code: "MOTE_INVALID_MANIFEST",
        details: { repository: "a/b", reference: "v1" },
      });
    }
  });
});

describe("a manifest", () => {
  it("is returned byte for byte", async () => {
    const { repository } = await start();
    expect(await repository.manifest(image.manifest)).toEqual(image.manifestBytes);
  });

  it("with wrong bytes or another size than the descriptor's is rejected", async () => {
    const wrong = image.manifestBytes.slice();
    wrong[0] = 0;
    const { repository } = await start((_, response) => response.end(wrong) === response);
    expect(await codeOf(repository.manifest(image.manifest))).toBe("MOTE_DIGEST_MISMATCH");
    const honest = await start();
    const larger = { ...image.manifest, size: image.manifest.size + 1 };
    expect(await codeOf(honest.repository.manifest(larger))).toBe("MOTE_SIZE_MISMATCH");
  });

  it("that is not JSON is returned unchanged, and rejected when parsed", async () => {
    const body = text("not a manifest");
    const { repository } = await start((_, response) => response.end(body) === response);
    const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestBytes(body), size: body.byteLength };
    const bytes = await repository.manifest(descriptor);
    expect(await codeOf((async () => parseManifest(bytes, descriptor.mediaType))())).toBe("MOTE_INVALID_MANIFEST");
  });

  it("larger than the limit is rejected, by its descriptor and by its bytes", async () => {
    const { server, repository } = await start((_, response) => {
      response.writeHead(200, { "content-type": mediaTypes.ociManifest });
      const chunk = new Uint8Array(1 << 20);
      const more = () => response.destroyed || response.write(chunk, more);
      more();
      return true;
    });
    expect(await codeOf(repository.manifest({ ...image.manifest, size: 5 << 20 }))).toBe("MOTE_TOO_LARGE");
    expect(server.seen).toHaveLength(0);
    expect(await codeOf(repository.manifest(image.manifest))).toBe("MOTE_TOO_LARGE");
  });

  it("that is interrupted is requested again", async () => {
    let cuts = 0;
    const { repository, server } = await start((_, response) => {
      if (cuts++ > 1) return false;
      response.writeHead(200, { "content-length": image.manifest.size });
      response.write(image.manifestBytes.subarray(0, 10), () => response.socket?.destroy());
      return true;
    });
    expect(await repository.manifest(image.manifest)).toEqual(image.manifestBytes);
    expect(server.count("GET")).toBe(3);
  });
});

describe("referrers", () => {
  const one = { mediaType: mediaTypes.ociManifest, digest: digestBytes(text("one")), size: 3, artifactType: "x/y" };
  const two = { mediaType: mediaTypes.ociManifest, digest: digestBytes(text("two")), size: 3 };
  const index = (...manifests: object[]) =>
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  const headers = { "content-type": mediaTypes.ociIndex };

  async function list(repository: RegistryRepository) {
    const found = [];
    for await (const descriptor of repository.referrers(image.manifest)) found.push(descriptor);
    return found;
  }

  it("are listed from all pages of the API", async () => {
    const { server, repository } = await start((request, response) => {
      if (request.url?.endsWith("?page=2")) return response.writeHead(200, headers).end(index(two)) === response;
      const link = `</v2/a/b/referrers/${image.manifest.digest}?page=2>; rel="next"`;
      return response.writeHead(200, { ...headers, link }).end(index(one)) === response;
    });
    expect(await list(repository)).toEqual([one, two]);
    expect(server.seen).toHaveLength(2);
  });

  it("are listed from the referrers tag if there is no API", async () => {
    const { server, repository } = await start((request, response) => {
      if (request.url?.includes("/referrers/")) refuse(response, 404, "UNSUPPORTED");
      else response.writeHead(200, headers).end(index(one, two));
      return true;
    });
    expect(await list(repository)).toEqual([one, two]);
    expect(server.seen[1]?.url).toBe(`/v2/a/b/manifests/${image.manifest.digest.replace(":", "-")}`);
  });

  it("of one type are requested, and filtered here if the registry does not filter", async () => {
    for (const filters of [{}, { "oci-filters-applied": "artifactType" }]) {
      const { server, repository } = await start(
        (_, response) => response.writeHead(200, { ...headers, ...filters }).end(index(one, two)) === response,
      );
      const found = [];
      for await (const descriptor of repository.referrers(image.manifest, { artifactType: "x/y" }))
        found.push(descriptor);
      expect(found).toEqual([one]);
      expect(server.seen[0]?.url).toBe(`/v2/a/b/referrers/${image.manifest.digest}?artifactType=x%2Fy`);
    }
  });

  it("are empty without API and tag", async () => {
    const { repository } = await start((_, response) => {
      refuse(response, 404, "NAME_UNKNOWN");
      return true;
    });
    expect(await list(repository)).toEqual([]);
  });

  it("with a next page on another registry, or with endless pages, are an error", async () => {
    const elsewhere = await serve((_, response) => response.writeHead(200, headers).end(index(two)));
    opened.push(elsewhere);
    for (const link of [`<http://${elsewhere.host}/v2/x>; rel=next`, `</v2/a/b/referrers/x>; rel="next"`]) {
      const { repository } = await start(
        (_, response) => response.writeHead(200, { ...headers, link }).end(index(one)) === response,
      );
      expect(await codeOf(list(repository))).toBe("MOTE_REGISTRY");
    }
    expect(elsewhere.seen).toEqual([]);
  });

  it("with a later page that is not an index are an error", async () => {
    const { repository } = await start((request, response) => {
      if (request.url?.endsWith("page=2")) return response.end("<p>") === response;
      const link = `<?page=2>; rel="next"`;
      return response.writeHead(200, { ...headers, link }).end(index(one)) === response;
    });
    expect(await codeOf(list(repository))).toBe("MOTE_REGISTRY");
  });
});
