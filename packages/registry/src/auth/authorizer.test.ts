import { afterEach, describe, expect, it, vi } from "vitest";
import { refuse, serveImage } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf, read, sameBytes, shownBy } from "../../test/outcome.js";
import { serve, type TestServer } from "../../test/server.js";
import { serveTokens, type TokenServer } from "../../test/token-server.js";
import { RegistryClient, type RegistryClientOptions } from "../client.js";
import { RegistryRepository } from "../pull/repository.js";
import type { Credentials } from "./credentials.js";

const image = makeImage(300_000);
const [layer = image.config] = image.layers;
const bytes = image.blobs.get(layer.digest) ?? new Uint8Array();
const password: Credentials = { kind: "password", username: "ann", password: "s3cret" };
const basic = `Basic ${Buffer.from("ann:s3cret").toString("base64")}`;

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

function open(server: TestServer, credentials?: Credentials, options: RegistryClientOptions = {}) {
  const asked: [string, string | undefined][] = [];
  const client = new RegistryClient({
    retryDelayMs: 1,
    ...options,
    credentials: {
      async get(registry, repository) {
        asked.push([registry, repository]);
        return credentials;
      },
    },
  });
  opened.push(client);
  const repository = (name: string) => new RegistryRepository(client, { registry: server.host, repository: name });
  return { client, asked, repository };
}

async function basicRegistry(): Promise<TestServer> {
  const server = await serveImage(image, (request, response) => {
    if (request.headers.authorization === basic) return false;
    refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="test"' });
    return true;
  });
  opened.push(server);
  return server;
}

/** A registry that requires a token of the service for each request. */
async function tokenRegistry(tokens: TokenServer): Promise<TestServer> {
  const server = await serveImage(image, (request, response) => {
    const [, name = ""] = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(request.url ?? "") ?? [];
    const scope = `repository:${name}:pull`;
    if (tokens.admits(request, scope)) return false;
    const challenge = `Bearer realm="http://${tokens.host}/token?kept=1",service="the registry",scope="${scope}"`;
    refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge });
    return true;
  });
  opened.push(tokens, server);
  return server;
}

describe("a registry with passwords", () => {
  it("receives the credentials after its first challenge, and then with each request", async () => {
    const server = await basicRegistry();
    const { repository, asked } = open(server, password);
    await repository("a/b").resolve("v1");
    await repository("a/b").resolve("v1");
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, basic, basic]);
    expect(asked).toEqual([[server.host, "a/b"]]);
  });

  it("rejects missing and wrong credentials as unauthorized after one attempt", async () => {
    const server = await basicRegistry();
    expect(await codeOf(open(server).repository("a/b").resolve("v1"))).toBe("MOTE_UNAUTHORIZED");
    const wrong = { ...password, password: "wr0ng" };
    expect(await codeOf(open(server, wrong).repository("a/b").resolve("v1"))).toBe("MOTE_UNAUTHORIZED");
    expect(server.seen).toHaveLength(3);
    expect(await shownBy(open(server).repository("a/b").resolve("v1"))).toContain("requires credentials");
    expect(await shownBy(open(server, wrong).repository("a/b").resolve("v1"))).toContain("rejected the credentials");
    expect(await shownBy(open(server, wrong).repository("a/b").resolve("v1"))).not.toContain("wr0ng");
  });

  it("does not cause errors with a secret that it repeats", async () => {
    const server = await serveImage(image, (request, response) => {
      const { authorization } = request.headers;
      const login = Buffer.from(authorization?.split(" ")[1] ?? "", "base64").toString();
      response.writeHead(authorization === undefined ? 401 : 403, { "www-authenticate": 'Basic realm="x"' });
      response.end(JSON.stringify({ errors: [{ code: "DENIED", message: `${authorization} is ${login}, no!` }] }));
      return true;
    });
    opened.push(server);
    const shown = await shownBy(open(server, password).repository("a/b").manifest(image.manifest));
    expect(shown).toContain("no!");
    expect(shown).not.toMatch(/s3cret|YW5uOnMzY3JldA/);
  });

  it("does not cause errors with a secret that its token service repeats", async () => {
    for (const credentials of [password, { kind: "identity-token", token: "s3cret/+" } as const]) {
      const tokens = await serve(async (request, response) => {
        let body = "";
        for await (const chunk of request) body += String(chunk);
        const said = [request.headers.authorization, body, decodeURIComponent(body)].join(" ");
        refuse(response, 418, said);
      });
      const server = await serveImage(image, (_, response) => {
        refuse(response, 401, "X", { "www-authenticate": `Bearer realm="http://${tokens.host}/token"` });
        return true;
      });
      opened.push(tokens, server);
      const shown = await shownBy(open(server, credentials).repository("a/b").resolve("v1"));
      expect(shown).toContain("418");
      expect(shown).not.toMatch(/s3cret|YW5uOnMzY3JldA/);
    }
  });

  it("does not receive a refresh token as a password", async () => {
    const server = await basicRegistry();
    const { repository } = open(server, { kind: "identity-token", token: "s3cret" });
    expect(await codeOf(repository("a/b").resolve("v1"))).toBe("MOTE_UNAUTHORIZED");
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });
});

describe("a registry with tokens", () => {
  it("issues an anonymous token for service and scope, which is cached for the repository", async () => {
    const tokens = await serveTokens();
    const server = await tokenRegistry(tokens);
    const { repository } = open(server);
    await repository("a/b").resolve("v1");
    await repository("a/b").manifest(image.manifest);
    expect(tokens.seen.map(({ url }) => url)).toEqual([
      "/token?kept=1&service=the+registry&scope=repository%3Aa%2Fb%3Apull",
    ]);
    expect(server.seen).toHaveLength(3);
  });

  it("issues a token for another repository without another challenge", async () => {
    const tokens = await serveTokens({ field: "access_token" });
    const server = await tokenRegistry(tokens);
    const { repository } = open(server);
    await repository("a/b").resolve("v1");
    await repository("c/d").resolve("v1");
    expect(server.seen).toHaveLength(3);
    expect(tokens.seen.at(-1)?.url).toBe("/token?kept=1&service=the+registry&scope=repository%3Ac%2Fd%3Apull");
  });

  it("issues a token for a password, which the registry itself never receives", async () => {
    const tokens = await serveTokens({ login: "ann:s3cret" });
    const server = await tokenRegistry(tokens);
    await open(server, password).repository("a/b").resolve("v1");
    expect(tokens.seen[0]?.headers.authorization).toBe(basic);
    expect(server.seen.some(({ headers }) => headers.authorization === basic)).toBe(false);
  });

  it("issues a token for a refresh token, by POST", async () => {
    const tokens = await serveTokens({ login: "ann:s3cret" });
    const server = await tokenRegistry(tokens);
    await open(server, { kind: "identity-token", token: "refresh-ann:s3cret" }).repository("a/b").resolve("v1");
    expect(Object.fromEntries(tokens.forms[0] ?? [])).toMatchObject({
      grant_type: "refresh_token",
      service: "the registry",
      scope: "repository:a/b:pull",
    });
  });

  it("receives a registry token unchanged", async () => {
    const tokens = await serveTokens();
    const server = await tokenRegistry(tokens);
    expect(await codeOf(open(server, { kind: "registry-token", token: "abc" }).repository("a/b").resolve("v1"))).toBe(
      "MOTE_UNAUTHORIZED",
    );
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, "Bearer abc"]);
    expect(tokens.seen).toHaveLength(0);
  });

  it("is unauthorized if the service rejects the login, and the error contains no secret", async () => {
    const tokens = await serveTokens({ login: "ann:0ther" });
    const server = await tokenRegistry(tokens);
    expect(await codeOf(open(server).repository("a/b").resolve("v1"))).toBe("MOTE_UNAUTHORIZED");
    const refused = open(server, password).repository("a/b").resolve("v1");
    expect(await codeOf(refused)).toBe("MOTE_UNAUTHORIZED");
    const shown = await shownBy(refused);
    expect(shown).not.toContain("s3cret");
    expect(shown).not.toContain(basic);
  });

  it("continues a blob with a new token if the old one is revoked", async () => {
    const tokens = await serveTokens();
    let cuts = 0;
    const server = await serveImage(image, (request, response) => {
      if (!tokens.admits(request, "repository:a/b:pull")) {
        const challenge = `Bearer realm="http://${tokens.host}/token",scope="repository:a/b:pull"`;
        refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge });
        return true;
      }
      if (cuts++ > 0) return false;
      response.writeHead(200, { "content-length": bytes.byteLength });
      response.write(bytes.subarray(0, 100_000), () => {
        tokens.revoke();
        response.socket?.destroy();
      });
      return true;
    });
    opened.push(tokens, server);
    expect(sameBytes(await read(await open(server).repository("a/b").blob(layer)), bytes)).toBe(true);
    expect(tokens.seen).toHaveLength(2);
    const rest = `bytes=100000-${bytes.byteLength - 1}`;
    expect(server.seen.map(({ headers }) => headers.range)).toEqual([undefined, undefined, rest, rest]);
  });

  it("issues a new token before the old one expires", async () => {
    const tokens = await serveTokens({ expiresIn: 300 });
    const server = await tokenRegistry(tokens);
    const { repository } = open(server);
    vi.useFakeTimers({ toFake: ["Date"] });
    await repository("a/b").resolve("v1");
    vi.setSystemTime(Date.now() + 280_000);
    await repository("a/b").resolve("v1");
    expect(tokens.seen).toHaveLength(2);
    expect(server.seen).toHaveLength(3);
  });

  it("issues one token for concurrent callers, and an aborted caller does not affect the others", async () => {
    const tokens = await serveTokens();
    const server = await tokenRegistry(tokens);
    const { repository } = open(server);
    await repository("x/y").resolve("v1");
    const abort = new AbortController();
    const reason = new Error("enough");
    const aborted = repository("a/b").resolve("v1", { signal: abort.signal });
    const others = Array.from({ length: 5 }, () => repository("a/b").resolve("v1"));
    abort.abort(reason);
    expect(await codeOf(aborted)).toBe(reason);
    expect(await Promise.all(others)).toEqual(others.map(() => image.manifest));
    expect(tokens.seen).toHaveLength(2);
  });

  it("reports a missing token service as an error of the registry, not as a miss", async () => {
    const tokens = await serve((_, response) => response.writeHead(404).end());
    const server = await serveImage(image, (_, response) => {
      const challenge = `Bearer realm="http://${tokens.host}/token",service="s"`;
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge });
      return true;
    });
    opened.push(tokens, server);
    const failed = open(server).repository("a/b").resolve("v1");
    await expect(failed).rejects.toMatchObject({ code: "MOTE_REGISTRY" });
    expect(await shownBy(failed)).toContain(tokens.host);
  });

  it("reports a token service with an invalid URL, invalid responses or circular redirects", async () => {
    const nonsense = await serveImage(image, (request, response) => {
      if (request.url?.startsWith("/circle")) response.writeHead(302, { location: "/circle" }).end();
      else response.end('{"token":"two words"}');
      return true;
    });
    opened.push(nonsense);
    for (const realm of [
      "file:///etc/passwd",
      "not a url",
      `http://${nonsense.host}/t`,
      `http://${nonsense.host}/circle`,
    ]) {
      const server = await serveImage(image, (_, response) => {
        refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="${realm}"` });
        return true;
      });
      opened.push(server);
      expect([realm, await codeOf(open(server).repository("a/b").resolve("v1"))]).toEqual([realm, "MOTE_REGISTRY"]);
    }
  });

  it.each(["with each error", "only on /v2/"])(
    "asks for the challenge again if its token service failed, sent %s",
    async (sent) => {
      const [before, tokens] = [await serve((_, response) => response.writeHead(404).end()), await serveTokens()];
      let realm = `http://${before.host}/token`;
      const server = await serveImage(image, ({ url, headers }, response) => {
        if (headers.authorization !== undefined) return false;
        const isShown = sent === "with each error" || url === "/v2/";
        refuse(response, 401, "UNAUTHORIZED", isShown ? { "www-authenticate": `Bearer realm="${realm}"` } : {});
        return true;
      });
      opened.push(before, tokens, server);
      const { repository } = open(server);
      for (const name of ["a/b", "a/b", "c/d"])
        expect(await codeOf(repository(name).resolve("v1"))).toBe("MOTE_REGISTRY");
      realm = `http://${tokens.host}/token`;
      for (const name of ["c/d", "a/b"]) expect(await repository(name).resolve("v1")).toEqual(image.manifest);
    },
  );

  it("does not send a refresh token to another host to which its service redirects", async () => {
    const thief = await serve((_, response) => response.end('{"token":"x"}'));
    const service = await serve((_, response) => response.writeHead(307, { location: `http://${thief.host}/` }).end());
    const server = await serveImage(image, (_, response) => {
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="http://${service.host}/t"` });
      return true;
    });
    opened.push(thief, service, server);
    const { repository } = open(server, { kind: "identity-token", token: "refresh-me" });
    expect(await codeOf(repository("a/b").resolve("v1"))).toBe("MOTE_REGISTRY");
    expect(thief.seen).toEqual([]);
  });

  it("is unauthorized after a limited number of requests if it rejects every token", async () => {
    const tokens = await serveTokens();
    const server = await serveImage(image, (_, response) => {
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="http://${tokens.host}/token"` });
      return true;
    });
    opened.push(tokens, server);
    expect(await codeOf(open(server).repository("a/b").resolve("v1"))).toBe("MOTE_UNAUTHORIZED");
    expect([server.seen.length, tokens.seen.length]).toEqual([2, 1]);
  });
});
