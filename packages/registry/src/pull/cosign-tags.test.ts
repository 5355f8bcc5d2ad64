import { digestBytes, mediaTypes } from "@mote/core";
import { describe, expect, it } from "vitest";
import { codeOf } from "../../test/outcome.js";
import { all, entry, image, index, indexType, isApi, open, subject, tag, text } from "../../test/referrers-setup.js";

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

  it("have the type of their config if the registry lists them without a type", async () => {
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

  it("are filtered here even if the registry claims to have filtered", async () => {
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
  it("are found by HEAD, each once, with their tags", async () => {
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

  it("are read by GET if HEAD is not sufficient", async () => {
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
  ])("are ignored if the response is %s", async (_what, status, headers) => {
    const { repository } = await open((request, response) =>
      response
        .writeHead(status, headers as Record<string, string>)
        .end(request.method === "HEAD" ? undefined : image.manifestBytes),
    );
    expect(await all(repository.taggedReferrers(subject))).toEqual([]);
  });

  it.each([401, 429, 500])("with the response %i are an error", async (status) => {
    const { repository } = await open((_, response) => response.writeHead(status).end());
    expect(await codeOf(all(repository.taggedReferrers(subject)))).toMatch(/^MOTE_/);
  });

  it("are not requested if the digest is too long for a tag", async () => {
    const { server, repository } = await open((_, response) => response.writeHead(404).end());
    expect(await all(repository.taggedReferrers({ ...subject, digest: digestBytes(text("x"), "sha512") }))).toEqual([]);
    expect(server.seen).toEqual([]);
  });
});

it("a referrers tag that is something else is not changed, and pushing a referrer is an error", async () => {
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
