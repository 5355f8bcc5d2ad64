import { digestBytes, mediaTypes } from "@mote/core";
import { describe, expect, it } from "vitest";
import { codeOf } from "../../test/outcome.js";
import { all, entry, image, index, indexType, isApi, open, subject, tag, text } from "../../test/referrers-setup.js";

describe("without a referrers API", () => {
  const one = entry("one");

  it.each([400, 403, 404, 405, 406, 410, 501])("the referrers tag is used after %i", async (status) => {
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
  ])("the referrers tag is used after %s", async (_what, status, headers, body) => {
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
  ])("%i is an error, and the tag is not read", async (status, code) => {
    const { server, repository } = await open((_, response) => response.writeHead(status).end());
    expect(await codeOf(all(repository.referrers(subject)))).toBe(code);
    // After a 401 without a challenge, /v2/ is requested.
    expect(server.seen.every(({ url }) => isApi(url) || url === "/v2/")).toBe(true);
  });

  it("an index with the media type of JSON is accepted", async () => {
    for (const type of ["application/json; charset=utf-8", "text/plain", "application/octet-stream"]) {
      const { server, repository } = await open((_, response) =>
        response.writeHead(200, { "content-type": type }).end(index(one)),
      );
      expect(await all(repository.referrers(subject))).toEqual([one]);
      expect(server.seen).toHaveLength(1);
    }
  });

  // https://github.com/project-zot/zot/issues/2506
  it("each referrer is listed once, even if the registry lists it twice", async () => {
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
  ])("there are no referrers if the tag resolves to %s", async (what, status, headers, body) => {
    const { repository, warnings } = await open((request, response) => {
      if (isApi(request.url)) response.writeHead(404).end();
      else response.writeHead(status, headers as Record<string, string>).end(body);
    });
    expect(await all(repository.referrers(subject))).toEqual([]);
    expect(warnings).toHaveLength(what === "403" ? 1 : 0);
  });

  it("the images of an index are not its referrers if the tag resolves to that index", async () => {
    const body = text(index(image.manifest));
    const multi = { mediaType: mediaTypes.ociIndex, digest: digestBytes(body), size: body.byteLength };
    const { repository } = await open((request, response) => {
      if (isApi(request.url)) response.writeHead(404).end();
      else response.writeHead(200, indexType).end(body);
    });
    expect(await all(repository.referrers(multi))).toEqual([]);
  });

  it.each([401, 429, 500, 503])("%i for the tag is an error", async (status) => {
    const { repository } = await open((request, response) =>
      response.writeHead(isApi(request.url) ? 404 : status).end(),
    );
    expect(await codeOf(all(repository.referrers(subject)))).toMatch(/^MOTE_(UNAUTHORIZED|RATE_LIMITED|REGISTRY)$/);
  });
});

describe("an endless list of referrers", () => {
  it.each([
    ["of new pages", 1, "MOTE_TOO_LARGE"],
    ["of empty pages", 0, "MOTE_TOO_LARGE"],
    ["of large pages", 3000, "MOTE_TOO_LARGE"],
  ])("%s ends at its limit, after a limited number of requests", async (_what, entries, code) => {
    let at = 0;
    const { server, repository } = await open((_, response) => {
      const link = `<?page=${++at}>; rel="next"`;
      const page = index(...Array.from({ length: entries }, (_, nth) => entry(`${at} ${nth}`)));
      response.writeHead(200, { ...indexType, link }).end(page);
    });
    expect(await codeOf(all(repository.referrers(subject)))).toBe(code);
    expect(server.seen.length).toBeLessThanOrEqual(200);
  });

  it("of large pages ends at a number of bytes", async () => {
    let at = 0;
    const annotations = { padding: "x".repeat(3 * 1024 * 1024) };
    const { server, repository } = await open((_, response) => {
      const link = `<?page=${++at}>; rel="next"`;
      response.writeHead(200, { ...indexType, link }).end(index(entry(String(at), { annotations })));
    });
    expect(await codeOf(all(repository.referrers(subject)))).toBe("MOTE_TOO_LARGE");
    expect(server.seen.length).toBeLessThan(25);
  });

  it("of a single page that is too large is an error", async () => {
    const { repository } = await open((_, response) =>
      response.writeHead(200, indexType).end(" ".repeat(5 * 1024 * 1024)),
    );
    expect(await codeOf(all(repository.referrers(subject)))).toBe("MOTE_TOO_LARGE");
  });

  it("with a circular link is an error at once", async () => {
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

  it("with a link to another host is an error, and that host receives no request", async () => {
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
