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

async function lying(intercept?: Intercept): Promise<{ server: TestServer; repository: RegistryRepository }> {
  const server = await serveImage(image, intercept);
  const client = new RegistryClient({ retryDelayMs: 1 });
  opened.push(server, client);
  return { server, repository: new RegistryRepository(client, { registry: server.host, repository: "a/b" }) };
}

describe("a reference", () => {
  it("is resolved by one HEAD that takes every type of manifest", async () => {
    const { server, repository } = await lying();
    expect(await repository.resolve("v1")).toEqual(image.manifest);
    expect(await repository.resolve(image.manifest.digest)).toEqual(image.manifest);
    expect(server.count("HEAD")).toBe(2);
    expect(server.seen).toHaveLength(2);
    expect(server.seen[0]?.headers.accept).toContain(mediaTypes.dockerManifestList);
  });

  it("may be one of this repository, and of no other", async () => {
    const { server, repository } = await lying();
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

  it("that is neither tag nor digest is refused before it gets into a URL", async () => {
    const { server, repository } = await lying();
    for (const name of ["", "a/b", "..", "a?b", "-x", "a".repeat(129), "a%2fb"]) {
      expect([name, await codeOf(repository.resolve(name))]).toEqual([name, "MOTE_INVALID_REFERENCE"]);
    }
    expect(await codeOf(repository.resolve("sha256:12"))).toBe("MOTE_INVALID_DIGEST");
    expect(server.seen).toHaveLength(0);
  });

  it("that is absent is not found, and the error says what and where", async () => {
    const { server, repository } = await lying();
    await expect(repository.resolve("absent")).rejects.toMatchObject({
      code: "MOTE_NOT_FOUND",
      details: { registry: server.host, repository: "a/b", reference: "absent", status: 404 },
    });
  });

  it("is resolved by GET where HEAD is not answered, or without digest, type or length", async () => {
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
      const { server, repository } = await lying(
        (request, response) => request.method === "HEAD" && answer(request, response),
      );
      expect(await repository.resolve("v1")).toEqual(image.manifest);
      expect([server.count("HEAD"), server.count("GET")]).toEqual([1, 1]);
    }
  });

  it("has the digest that the bytes hash to where the registry names none", async () => {
    const { repository } = await lying((_, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end(image.manifestBytes);
      return true;
    });
    expect(await repository.resolve("v1")).toEqual(image.manifest);
  });

  it("whose bytes are others than its digest says is a digest mismatch", async () => {
    const other = text("{}");
    const headers = { "content-type": mediaTypes.ociManifest, "docker-content-digest": image.manifest.digest };
    const { repository } = await lying((request, response) => {
      if (request.method === "HEAD") response.writeHead(405).end();
      else response.writeHead(200, headers).end(other);
      return true;
    });
    expect(await codeOf(repository.resolve("v1"))).toBe("MOTE_DIGEST_MISMATCH");
    const head = await lying((_, response) => {
      response.writeHead(200, { ...headers, "docker-content-digest": digestBytes(other), "content-length": 2 }).end();
      return true;
    });
    expect(await codeOf(head.repository.resolve(image.manifest.digest))).toBe("MOTE_DIGEST_MISMATCH");
  });

  it("whose response has another digest than its bytes stands for what is under that digest, and else is refused", async () => {
    const other = makeImage(1001);
    for (const algorithm of ["sha256", "sha512"] as const) {
      for (const isThere of [true, false]) {
        const said = digestBytes(other.manifestBytes, algorithm);
        const { repository } = await lying((request, response) => {
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

  it("from what is not a registry is an error that says so", async () => {
    const page = "<!doctype html><title>Log in</title>";
    const { repository } = await lying((_, response) => {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page);
      return true;
    });
    expect(await codeOf(repository.resolve("v1"))).toBe("MOTE_REGISTRY");
    expect(await codeOf(repository.manifest(image.manifest))).toBe("MOTE_REGISTRY");
  });

  it("of a manifest is what its body says, whatever the registry labels it as", async () => {
    const labels = [
      "binary/octet-stream",
      "application/x-gzip",
      "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ];
    for (const type of [...labels, "application/vnd.acme+json", "APPLICATION/JSON; charset=UTF-8", "", "?"]) {
      const { repository } = await lying((_, response) => {
        response.writeHead(200, { "content-type": type }).end(image.manifestBytes);
        return true;
      });
      expect(await repository.resolve("v1"), type).toEqual(image.manifest);
    }
  });

  it("of a manifest that is not JSON, or in a format that is not read, is an invalid manifest", async () => {
    const answers: [string, string][] = [
      ["application/json", "this is not JSON"],
      ["application/json", '{"hello":"world"}'],
      ["application/vnd.docker.distribution.manifest.v1+prettyjws", "{}"],
    ];
    for (const [type, body] of answers) {
      const { repository } = await lying((_, response) => {
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
  it("comes in its exact bytes", async () => {
    const { repository } = await lying();
    expect(await repository.manifest(image.manifest)).toEqual(image.manifestBytes);
  });

  it("of wrong bytes, or of another size than the descriptor's, is refused", async () => {
    const wrong = image.manifestBytes.slice();
    wrong[0] = 0;
    const { repository } = await lying((_, response) => response.end(wrong) === response);
    expect(await codeOf(repository.manifest(image.manifest))).toBe("MOTE_DIGEST_MISMATCH");
    const honest = await lying();
    const larger = { ...image.manifest, size: image.manifest.size + 1 };
    expect(await codeOf(honest.repository.manifest(larger))).toBe("MOTE_SIZE_MISMATCH");
  });

  it("that is not JSON comes as it is, and is an invalid manifest when parsed", async () => {
    const body = text("not a manifest");
    const { repository } = await lying((_, response) => response.end(body) === response);
    const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestBytes(body), size: body.byteLength };
    const bytes = await repository.manifest(descriptor);
    expect(await codeOf((async () => parseManifest(bytes, descriptor.mediaType))())).toBe("MOTE_INVALID_MANIFEST");
  });

  it("larger than the bound is refused, by its descriptor and by what comes", async () => {
    const { server, repository } = await lying((_, response) => {
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

  it("that is cut off is asked for again", async () => {
    let cuts = 0;
    const { repository, server } = await lying((_, response) => {
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

  it("come from the API, over all its pages", async () => {
    const { server, repository } = await lying((request, response) => {
      if (request.url?.endsWith("?page=2")) return response.writeHead(200, headers).end(index(two)) === response;
      const link = `</v2/a/b/referrers/${image.manifest.digest}?page=2>; rel="next"`;
      return response.writeHead(200, { ...headers, link }).end(index(one)) === response;
    });
    expect(await list(repository)).toEqual([one, two]);
    expect(server.seen).toHaveLength(2);
  });

  it("come from the tag that stands in for the API, where there is no API", async () => {
    const { server, repository } = await lying((request, response) => {
      if (request.url?.includes("/referrers/")) refuse(response, 404, "UNSUPPORTED");
      else response.writeHead(200, headers).end(index(one, two));
      return true;
    });
    expect(await list(repository)).toEqual([one, two]);
    expect(server.seen[1]?.url).toBe(`/v2/a/b/manifests/${image.manifest.digest.replace(":", "-")}`);
  });

  it("of one type are asked for, and chosen here where the registry does not", async () => {
    for (const filters of [{}, { "oci-filters-applied": "artifactType" }]) {
      const { server, repository } = await lying(
        (_, response) => response.writeHead(200, { ...headers, ...filters }).end(index(one, two)) === response,
      );
      const found = [];
      for await (const descriptor of repository.referrers(image.manifest, { artifactType: "x/y" }))
        found.push(descriptor);
      expect(found).toEqual([one]);
      expect(server.seen[0]?.url).toBe(`/v2/a/b/referrers/${image.manifest.digest}?artifactType=x%2Fy`);
    }
  });

  it("are none where there is neither", async () => {
    const { repository } = await lying((_, response) => {
      refuse(response, 404, "NAME_UNKNOWN");
      return true;
    });
    expect(await list(repository)).toEqual([]);
  });

  it("whose next page is on another registry, or never ends, are an error", async () => {
    const elsewhere = await serve((_, response) => response.writeHead(200, headers).end(index(two)));
    opened.push(elsewhere);
    for (const link of [`<http://${elsewhere.host}/v2/x>; rel=next`, `</v2/a/b/referrers/x>; rel="next"`]) {
      const { repository } = await lying(
        (_, response) => response.writeHead(200, { ...headers, link }).end(index(one)) === response,
      );
      expect(await codeOf(list(repository))).toBe("MOTE_REGISTRY");
    }
    expect(elsewhere.seen).toEqual([]);
  });

  it("of which a later page is not an index are an error, and not the tag's", async () => {
    const { repository } = await lying((request, response) => {
      if (request.url?.endsWith("page=2")) return response.end("<p>") === response;
      const link = `<?page=2>; rel="next"`;
      return response.writeHead(200, { ...headers, link }).end(index(one)) === response;
    });
    expect(await codeOf(list(repository))).toBe("MOTE_REGISTRY");
  });
});
