import { type Descriptor, digestBytes, type Logger, silentLogger } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { cutAfter, type Intercept, refuse, sendRange, serveImage } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf, read, sameBytes } from "../../test/outcome.js";
import type { TestServer } from "../../test/server.js";
import type { Credentials } from "../auth/credentials.js";
import { RegistryClient } from "../client.js";
import { MirroredRepository } from "./mirrored-repository.js";
import { MirrorTable } from "./mirrors.js";

const image = makeImage(300_000, 17);
const [layer = image.config] = image.layers;
const bytes = image.blobs.get(layer.digest) ?? new Uint8Array();

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

const fine: Intercept = () => false;
const always =
  (answer: (...args: Parameters<Intercept>) => unknown): Intercept =>
  (request, response) => {
    answer(request, response);
    return true;
  };
const gone = always((_, response) => refuse(response, 404, "NAME_UNKNOWN"));

interface Options {
  readonly origin?: Intercept;
  readonly credentials?: Readonly<Record<string, Credentials>>;
}

/** Opens a repository with a mirror for each intercept, and its log. */
async function open(mirrors: readonly Intercept[], { origin = fine, credentials = {} }: Options = {}) {
  const servers: TestServer[] = [];
  for (const intercept of [...mirrors, origin]) servers.push(await serveImage(image, intercept));
  const [at, ...before] = servers.reverse();
  if (at === undefined) throw new TypeError("no origin");
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (message) => warnings.push(message) };
  const client = new RegistryClient({
    retryDelayMs: 1,
    logger,
    credentials: { get: async (registry) => credentials[servers.findIndex(({ host }) => host === registry)] },
  });
  opened.push(...servers, client);
  const place = { registry: at.host, repository: "a/b" };
  const table = new MirrorTable({ [at.host]: before.reverse().map(({ host }) => host) });
  const repository = new MirroredRepository(client, place, table.of(place));
  return { repository, mirrors: before, origin: at, warnings, client };
}

async function pull(repository: MirroredRepository): Promise<void> {
  const descriptor = await repository.resolve("v1");
  expect(descriptor).toEqual(image.manifest);
  expect(await repository.manifest(descriptor)).toEqual(image.manifestBytes);
  for (const blob of [image.config, ...image.layers]) {
    expect(sameBytes(await read(await repository.blob(blob)), image.blobs.get(blob.digest))).toBe(true);
  }
}

/** Intercepts only requests for blobs. */
const ofBlobs =
  (intercept: Intercept): Intercept =>
  (request, response) =>
    (request.url ?? "").includes("/blobs/") ? intercept(request, response) : false;

describe("a mirror", () => {
  it("serves everything, receives the registry's name, and the registry itself is not requested", async () => {
    const { repository, mirrors, origin } = await open([fine]);
    await pull(repository);
    expect(origin.seen).toEqual([]);
    const urls = mirrors[0]?.seen.map(({ url }) => url) ?? [];
    // One request for the manifest of the tag, and one for each blob.
    expect(urls).toHaveLength(1 + 3);
    for (const url of urls) expect(url).toMatch(new RegExp(`\\?ns=${encodeURIComponent(origin.host)}$`));
    expect(repository.ref).toMatchObject({ registry: origin.host, repository: "a/b" });
    expect(repository.servedBy(layer)).toMatchObject({ registry: mirrors[0]?.host, repository: "a/b" });
  });

  it("without the content is skipped without a warning, and requested again for other content", async () => {
    const { repository, mirrors, origin, warnings } = await open([gone, fine]);
    await pull(repository);
    expect(mirrors[0]?.seen).toHaveLength(4);
    expect(mirrors[1]?.seen).toHaveLength(4);
    expect(origin.seen).toEqual([]);
    expect(warnings).toEqual([]);
  });

  const failures: [string, Intercept][] = [
    ["wants credentials", always((_, response) => refuse(response, 401, "UNAUTHORIZED"))],
    ["forbids it", always((_, response) => refuse(response, 403, "DENIED"))],
    [
      "requires a long wait",
      always((_, response) => refuse(response, 429, "TOOMANYREQUESTS", { "retry-after": "3600" })),
    ],
    ["has a server error", always((_, response) => refuse(response, 500, "UNKNOWN"))],
    ["closes the connection", always((request) => request.socket.destroy())],
    ["sends a login page", always((_, response) => response.setHeader("content-type", "text/html").end("<p>"))],
    ["redirects endlessly", always((_, response) => response.writeHead(307, { location: "/v2/" }).end())],
    [
      "sends another manifest for the digest",
      (request, response) => {
        sendRange(request, response, new TextEncoder().encode('{"schemaVersion":2}'), {
          "content-type": image.manifest.mediaType,
          "docker-content-digest": image.manifest.digest,
        });
        return true;
      },
    ],
  ];

  it.each(failures)("that %s is skipped, with one warning", async (_, failure) => {
    const { repository, mirrors, origin, warnings } = await open([failure, fine]);
    await pull(repository);
    expect(origin.seen).toEqual([]);
    expect(warnings).toHaveLength(1);
    expect(mirrors[1]?.seen).toHaveLength(4);
  });

  it("that is unreachable is skipped, and requested once", async () => {
    const { repository, mirrors, origin } = await open([fine]);
    const [mirror] = mirrors;
    if (mirror === undefined) throw new TypeError("no mirror");
    await mirror[Symbol.asyncDispose]();
    opened.splice(opened.indexOf(mirror), 1);
    await pull(repository);
    expect(origin.seen.length).toBeGreaterThan(0);
  });

  it("that is interrupted in a blob is followed by the next endpoint at the same byte", async () => {
    const { repository, origin } = await open([
      ofBlobs((request, response) => {
        if (request.headers.range !== undefined) refuse(response, 500, "UNKNOWN");
        else cutAfter(response, bytes, 100_000);
        return true;
      }),
    ]);
    const reader = await repository.blob(layer);
    expect(sameBytes(await read(reader), bytes)).toBe(true);
    expect(origin.seen.map(({ headers }) => headers.range)).toEqual([`bytes=100000-${layer.size - 1}`]);
    expect(repository.servedBy(layer)).toBeUndefined();
  });

  it("that sends wrong bytes fails at their end, and is not requested again", async () => {
    const { repository, mirrors, origin, warnings } = await open([
      ofBlobs((request, response) => {
        const wrong = bytes.slice();
        wrong[7] = (wrong[7] ?? 0) ^ 1;
        sendRange(request, response, wrong);
        return true;
      }),
    ]);
    expect(await codeOf(repository.blob(layer).then(read))).toBe("MOTE_DIGEST_MISMATCH");
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
    expect(mirrors[0]?.seen).toHaveLength(1);
    expect(origin.seen).toHaveLength(1);
    expect(warnings).toHaveLength(1);
    expect(repository.reportCorruption(layer)).toBe(false);
  });

  it("with another Content-Length is skipped at once", async () => {
    const { repository, origin } = await open([
      ofBlobs(always((request, response) => sendRange(request, response, bytes.subarray(1)))),
    ]);
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
    expect(origin.seen).toHaveLength(1);
  });

  it("that fails like the registry results in the registry's error, with the errors of the mirrors", async () => {
    const { repository, mirrors } = await open([always((request) => request.socket.destroy()), gone], { origin: gone });
    await expect(repository.resolve("v1")).rejects.toMatchObject({
      code: "MOTE_NOT_FOUND",
      details: { repository: "a/b", mirrors: [{ mirror: `${mirrors[0]?.host}/a/b`, code: "MOTE_UNREACHABLE" }] },
    });
  });

  it("receives its own credentials, and the registry its own", async () => {
    const wanting =
      (login: string): Intercept =>
      (request, response) => {
        const known = `Basic ${Buffer.from(login).toString("base64")}`;
        if (request.headers.authorization === known) return false;
        refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="x"' });
        return true;
      };
    const password = (username: string): Credentials => ({ kind: "password", username, password: "s3cret" });
    // In the order of the servers: origin, mirror.
    const { repository, mirrors, origin } = await open([ofBlobs(gone)], {
      origin: wanting("ann:s3cret"),
      credentials: { 0: password("ann"), 1: password("bob") },
    });
    await pull(repository);
    const shown = (server: TestServer | undefined) => new Set(server?.seen.map(({ headers }) => headers.authorization));
    expect([...shown(origin)].filter(Boolean)).toEqual([`Basic ${Buffer.from("ann:s3cret").toString("base64")}`]);
    expect([...shown(mirrors[0])].filter(Boolean)).toEqual([]);
  });

  it("is not requested for referrers, unless the registry itself is unreachable", async () => {
    const referrer: Descriptor = { ...image.manifest, digest: digestBytes(new Uint8Array(1)), size: 1 };
    const listing: Intercept = (request, response) => {
      if (!request.url?.includes("/referrers/")) return false;
      response.writeHead(200, { "content-type": "application/vnd.oci.image.index.v1+json" });
      response.end(JSON.stringify({ schemaVersion: 2, manifests: [referrer] }));
      return true;
    };
    const list = async (repository: MirroredRepository) => {
      const found: Descriptor[] = [];
      for await (const one of repository.referrers(image.manifest)) found.push(one);
      return found;
    };
    const up = await open([listing], { origin: gone });
    expect(await list(up.repository)).toEqual([]);
    expect(up.mirrors[0]?.seen).toEqual([]);
    const down = await open([listing], { origin: always((request) => request.socket.destroy()) });
    expect(await list(down.repository)).toMatchObject([{ digest: referrer.digest }]);
  });

  it("is aborted with its caller", async () => {
    const controller = new AbortController();
    const { repository, origin } = await open([always(() => controller.abort(new Error("enough")))]);
    await expect(repository.resolve("v1", { signal: controller.signal })).rejects.toThrow("enough");
    expect(origin.seen).toEqual([]);
  });
});
