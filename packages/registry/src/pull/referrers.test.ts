import { type Descriptor, digestBytes, type Logger, mediaTypes, silentLogger } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { makeImage } from "../../test/image.js";
import { codeOf } from "../../test/outcome.js";
import { type Handler, serve, type TestServer } from "../../test/server.js";
import { RegistryClient } from "../client.js";
import { RegistryDestination } from "../push/destination.js";
import { RegistryRepository } from "./repository.js";

const text = (value: string) => new TextEncoder().encode(value);
const image = makeImage(10);
const subject = image.manifest;
const tag = subject.digest.replace(":", "-");
const indexType = { "content-type": mediaTypes.ociIndex };
const opened: AsyncDisposable[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
});

function entry(name: string, more: object = {}): Descriptor {
  return { mediaType: mediaTypes.ociManifest, digest: digestBytes(text(name)), size: name.length, ...more };
}

const index = (...manifests: object[]) =>
  JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });

interface Opened {
  readonly server: TestServer;
  readonly repository: RegistryRepository;
  readonly destination: RegistryDestination;
  readonly warnings: string[];
}

async function open(answer: Handler): Promise<Opened> {
  const server = await serve(answer);
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (message) => warnings.push(message) };
  const client = new RegistryClient({ logger, retries: 0, retryDelayMs: 1 });
  opened.push(client, server);
  const place = { registry: server.host, repository: "a/b" };
  return {
    server,
    repository: new RegistryRepository(client, place),
    destination: new RegistryDestination(client, place),
    warnings,
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of items) found.push(one);
  return found;
}

const isApi = (url: string | undefined) => url?.includes("/referrers/") ?? false;

describe("where the registry refuses the referrers API", () => {
  const one = entry("one");

  it.each([400, 403, 404, 405, 406, 410, 501])("with %i, the referrers tag counts", async (status) => {
    const { server, repository } = await open((request, response) => {
      if (isApi(request.url)) response.writeHead(status).end("{}");
      else response.writeHead(200, indexType).end(index(one));
    });
    expect(await all(repository.referrers(subject))).toEqual([one]);
    expect(server.seen.map(({ url }) => url)).toEqual([
      `/v2/a/b/referrers/${subject.digest}`,
      `/v2/a/b/manifests/${tag}`,
    ]);
  });

  it.each([
    ["a web page", 200, { "content-type": "text/html" }, "<html>"],
    ["a web page without a type", 200, {}, "<html>"],
    ["JSON of another kind", 200, { "content-type": "application/json" }, '{"manifests":[]}'],
    ["an empty object", 200, indexType, "{}"],
    ["a redirect to a web page", 302, { location: "/web" }, ""],
  ])("with %s, the referrers tag counts", async (_what, status, headers, body) => {
    const { repository } = await open((request, response) => {
      if (isApi(request.url)) response.writeHead(status, headers as Record<string, string>).end(body);
      else if (request.url === "/web") response.writeHead(200, { "content-type": "text/html" }).end("<html>");
      else response.writeHead(200, indexType).end(index(one));
    });
    expect(await all(repository.referrers(subject))).toEqual([one]);
  });

  it.each([
    [401, "MOTE_UNAUTHORIZED"],
    [429, "MOTE_RATE_LIMITED"],
    [500, "MOTE_REGISTRY"],
    [502, "MOTE_REGISTRY"],
    [503, "MOTE_REGISTRY"],
  ])("with %i, that is an error, and the tag is not read", async (status, code) => {
    const { server, repository } = await open((_, response) => response.writeHead(status).end());
    expect(await codeOf(all(repository.referrers(subject)))).toBe(code);
    // A 401 without a challenge: /v2/ is asked for it.
    expect(server.seen.every(({ url }) => isApi(url) || url === "/v2/")).toBe(true);
  });

  it("an index that is labelled as any JSON is the list all the same", async () => {
    for (const type of ["application/json; charset=utf-8", "text/plain", "application/octet-stream"]) {
      const { server, repository } = await open((_, response) =>
        response.writeHead(200, { "content-type": type }).end(index(one)),
      );
      expect(await all(repository.referrers(subject))).toEqual([one]);
      expect(server.seen).toHaveLength(1);
    }
  });

  // https://github.com/project-zot/zot/issues/2506
  it("each referrer is listed once, however often the registry lists it", async () => {
    const pages = [index(entry("a"), entry("a")), index(entry("b"), entry("a"))];
    const { repository } = await open((_request, response) => {
      const link = pages.length > 1 ? { link: `</v2/a/b/referrers/${subject.digest}?next>; rel="next"` } : {};
      response.writeHead(200, { ...indexType, ...link }).end(pages.shift());
    });
    expect(await all(repository.referrers(subject))).toEqual([entry("a"), entry("b")]);
  });

  it.each([
    ["with an entry that is not valid", "MOTE_INVALID_MANIFEST", index(one, { digest: "none" })],
    ["that does not end", "MOTE_TOO_LARGE", `{"manifests":[${" ".repeat(5 << 20)}`],
  ])("an index %s is an error that names the registry", async (_what, code, body) => {
    const { repository, server } = await open((_, response) => response.writeHead(200, indexType).end(body));
    await expect(all(repository.referrers(subject))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`${server.host}/a/b: `),
    });
  });

  it.each([
    ["the subject itself", 200, { "content-type": subject.mediaType }, image.manifestBytes],
    ["a web page", 200, { "content-type": "text/html" }, "<html>"],
    ["JSON of another kind", 200, { "content-type": "application/json" }, '{"ok":true}'],
    ["an image of another kind", 200, { "content-type": mediaTypes.dockerManifest }, "{}"],
    ["400", 400, {}, ""],
    ["403", 403, {}, ""],
    ["404", 404, {}, ""],
    ["501", 501, {}, ""],
  ])("and the tag answers with %s, there are no referrers", async (what, status, headers, body) => {
    const { repository, warnings } = await open((request, response) => {
      if (isApi(request.url)) response.writeHead(404).end();
      else response.writeHead(status, headers as Record<string, string>).end(body);
    });
    expect(await all(repository.referrers(subject))).toEqual([]);
    expect(warnings).toHaveLength(what === "403" ? 1 : 0);
  });

  it("and the tag of an index answers with that index, what it lists are not its referrers", async () => {
    const body = text(index(image.manifest));
    const multi = { mediaType: mediaTypes.ociIndex, digest: digestBytes(body), size: body.byteLength };
    const { repository } = await open((request, response) => {
      if (isApi(request.url)) response.writeHead(404).end();
      else response.writeHead(200, indexType).end(body);
    });
    expect(await all(repository.referrers(multi))).toEqual([]);
  });

  it.each([401, 429, 500, 503])("and the tag is answered with %i, that is an error", async (status) => {
    const { repository } = await open((request, response) =>
      response.writeHead(isApi(request.url) ? 404 : status).end(),
    );
    expect(await codeOf(all(repository.referrers(subject)))).toMatch(/^MOTE_(UNAUTHORIZED|RATE_LIMITED|REGISTRY)$/);
  });
});

describe("a list of referrers without end", () => {
  it.each([
    ["of new pages", 1, "MOTE_TOO_LARGE"],
    ["of empty pages", 0, "MOTE_TOO_LARGE"],
    ["of large pages", 3000, "MOTE_TOO_LARGE"],
  ])("%s ends with the bound that was met, after a bounded number of requests", async (_what, entries, code) => {
    let at = 0;
    const { server, repository } = await open((_, response) => {
      const link = `<?page=${++at}>; rel="next"`;
      const page = index(...Array.from({ length: entries }, (_, nth) => entry(`${at} ${nth}`)));
      response.writeHead(200, { ...indexType, link }).end(page);
    });
    expect(await codeOf(all(repository.referrers(subject)))).toBe(code);
    expect(server.seen.length).toBeLessThanOrEqual(200);
  });

  it("of heavy pages ends after so many bytes", async () => {
    let at = 0;
    const annotations = { padding: "x".repeat(3 * 1024 * 1024) };
    const { server, repository } = await open((_, response) => {
      const link = `<?page=${++at}>; rel="next"`;
      response.writeHead(200, { ...indexType, link }).end(index(entry(String(at), { annotations })));
    });
    expect(await codeOf(all(repository.referrers(subject)))).toBe("MOTE_TOO_LARGE");
    expect(server.seen.length).toBeLessThan(25);
  });

  it("of one page that is too large ends with it", async () => {
    const { repository } = await open((_, response) =>
      response.writeHead(200, indexType).end(" ".repeat(5 * 1024 * 1024)),
    );
    expect(await codeOf(all(repository.referrers(subject)))).toBe("MOTE_TOO_LARGE");
  });

  it("that leads back to a page is an error at once", async () => {
    const { server, repository } = await open((request, response) => {
      const next = request.url?.endsWith("?page=2")
        ? "?page=1"
        : request.url?.endsWith("?page=1")
          ? "?page=2"
          : "?page=1";
      response.writeHead(200, { ...indexType, link: `<${next}>; rel="next"` }).end(index());
    });
    expect(await codeOf(all(repository.referrers(subject)))).toBe("MOTE_REGISTRY");
    expect(server.seen).toHaveLength(3);
  });

  it("that leads to another host is an error, and that host is asked for nothing", async () => {
    const elsewhere = await open((_, response) => response.writeHead(200, indexType).end(index()));
    const links = [
      `<http://${elsewhere.server.host}/v2/a/b/referrers/x>; rel="next"`,
      `<//${elsewhere.server.host}/x>;rel=next`,
    ];
    for (const link of links) {
      const { repository } = await open((_, response) => response.writeHead(200, { ...indexType, link }).end(index()));
      expect(await codeOf(all(repository.referrers(subject)))).toBe("MOTE_REGISTRY");
    }
    expect(elsewhere.server.seen).toEqual([]);
  });
});

describe("referrers of one type", () => {
  const referrer = (config: string) => {
    const body = text(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: { mediaType: config, digest: digestBytes(text("{}")), size: 2 },
        layers: [],
        subject,
        annotations: { config },
      }),
    );
    return {
      body,
      descriptor: { mediaType: mediaTypes.ociManifest, digest: digestBytes(body), size: body.byteLength },
    };
  };
  const [wanted, other] = [referrer("a/wanted"), referrer("a/other")];

  it("are told by their config where the registry lists them without a type", async () => {
    const { repository } = await open((request, response) => {
      const found = [wanted, other].find(({ descriptor }) => request.url?.endsWith(descriptor.digest));
      if (isApi(request.url))
        response.writeHead(200, indexType).end(index(wanted.descriptor, other.descriptor, entry("gone")));
      else if (found === undefined) response.writeHead(404).end();
      else response.writeHead(200, { "content-type": mediaTypes.ociManifest }).end(found.body);
    });
    expect(await all(repository.referrers(subject, { artifactType: "a/wanted" }))).toEqual([
      { ...wanted.descriptor, artifactType: "a/wanted", annotations: { config: "a/wanted" } },
    ]);
  });

  it("are chosen here, too, where the registry says that it has chosen", async () => {
    const { server, repository } = await open((_, response) =>
      response
        .writeHead(200, { ...indexType, "oci-filters-applied": "artifactType" })
        .end(index(entry("one", { artifactType: "a/wanted" }), entry("two", { artifactType: "a/other" }))),
    );
    expect(await all(repository.referrers(subject, { artifactType: "a/wanted" }))).toMatchObject([
      { digest: entry("one").digest },
    ]);
    expect(server.seen).toHaveLength(1);
  });
});

describe("cosign's tags", () => {
  it("are found by HEAD, each once, with their names", async () => {
    const { server, repository } = await open((request, response) => {
      if (!request.url?.endsWith(".sig") && !request.url?.endsWith(".sbom")) return response.writeHead(404).end();
      const { digest, mediaType } = image.manifest;
      const found = {
        "content-type": mediaType,
        "docker-content-digest": entry(request.url).digest,
        "content-length": "7",
      };
      return response.writeHead(200, digest === subject.digest ? found : {}).end();
    });
    const found = await all(repository.taggedReferrers(subject));
    expect(found.map(({ name }) => name)).toEqual([`${tag}.sig`, `${tag}.sbom`]);
    expect(server.seen.map(({ method }) => method)).toEqual(["HEAD", "HEAD", "HEAD"]);
  });

  it("are read where a HEAD does not tell enough", async () => {
    const { repository } = await open((request, response) => {
      if (request.method === "HEAD") return response.writeHead(405).end();
      if (!request.url?.endsWith(".att")) return response.writeHead(404).end();
      return response.writeHead(200, { "content-type": mediaTypes.ociManifest }).end(image.manifestBytes.subarray(1));
    });
    const [found, ...others] = await all(repository.taggedReferrers(subject));
    expect(found?.descriptor.digest).toBe(digestBytes(image.manifestBytes.subarray(1)));
    expect(others).toEqual([]);
  });

  it.each([
    ["the subject itself", 200, { "content-type": subject.mediaType }],
    ["a web page", 200, { "content-type": "text/html" }],
    ["400", 400, {}],
    ["403", 403, {}],
    ["501", 501, {}],
  ])("are none where they are answered with %s", async (_what, status, headers) => {
    const { repository } = await open((request, response) =>
      response
        .writeHead(status, headers as Record<string, string>)
        .end(request.method === "HEAD" ? undefined : image.manifestBytes),
    );
    expect(await all(repository.taggedReferrers(subject))).toEqual([]);
  });

  it.each([401, 429, 500])("that are answered with %i are an error", async (status) => {
    const { repository } = await open((_, response) => response.writeHead(status).end());
    expect(await codeOf(all(repository.taggedReferrers(subject)))).toMatch(/^MOTE_/);
  });

  it("are not looked for where the digest is too long for a tag", async () => {
    const { server, repository } = await open((_, response) => response.writeHead(404).end());
    expect(await all(repository.taggedReferrers({ ...subject, digest: digestBytes(text("x"), "sha512") }))).toEqual([]);
    expect(server.seen).toEqual([]);
  });
});

it("a referrers tag that is something else is left as it is, and the one who sends a referrer is told", async () => {
  const body = text(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: image.config, layers: [], subject }),
  );
  const { server, destination } = await open((request, response) => {
    if (request.method === "PUT") response.writeHead(201).end();
    else response.writeHead(200, { "content-type": mediaTypes.dockerManifest }).end("{}");
  });
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestBytes(body), size: body.byteLength };
  expect(await codeOf(destination.manifest(descriptor, body))).toBe("MOTE_REGISTRY");
  expect(server.count("PUT", tag)).toBe(0);
});
