import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, describe, expect, it, vi } from "vitest";
import { refuse, serveImage } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf, shownBy } from "../../test/outcome.js";
import { serve, type TestServer } from "../../test/server.js";
import { RegistryClient } from "../client.js";
import { RegistryRepository } from "../pull/repository.js";
import type { Credentials } from "./credentials.js";

const image = makeImage(100);
const password: Credentials = { kind: "password", username: "ann", password: "s3cret" };
const basic = `Basic ${Buffer.from("ann:s3cret").toString("base64")}`;
const scope = "repository:a/b:pull";

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

type Service = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Starts a token service, and a registry with the given challenges that accepts the token `t` or the password. */
async function start(challenges: (host: string) => string | readonly string[], service: Service = issueToken) {
  const tokens = await serve(service);
  const server = await serveImage(image, (request, response) => {
    if (request.url?.startsWith("/here/token")) {
      issueToken(request, response);
      return true;
    }
    const { authorization = "" } = request.headers;
    if (/^Bearer t/.test(authorization) || authorization === basic) return false;
    const said = challenges(tokens.host);
    response.writeHead(401, { "www-authenticate": typeof said === "string" ? said : [...said] }).end();
    return true;
  });
  opened.push(tokens, server);
  return { tokens, server };
}

function issueToken(_: unknown, response: ServerResponse) {
  response.end('{"token":"t"}');
}

function repositoryOf(server: TestServer, credentials?: Credentials) {
  const client = new RegistryClient({ retryDelayMs: 1, credentials: { get: async () => credentials } });
  opened.push(client);
  return new RegistryRepository(client, { registry: server.host, repository: "a/b" });
}

function scopesOf(tokens: TestServer): string[][] {
  return tokens.seen.map(({ url }) => new URL(url, "http://tokens").searchParams.getAll("scope"));
}

describe("a challenge", () => {
  it.each<[string, (host: string) => string | readonly string[]]>([
    ["in capitals", (host) => `BEARER REALM="http://${host}/token",SERVICE="x",SCOPE="${scope}"`],
    ["in small letters", (host) => `bearer realm="http://${host}/token",service="x",scope="${scope}"`],
    ["with spaces", (host) => `  Bearer   realm = "http://${host}/token" ,  service = "x" ,scope="${scope}"  `],
    ["without quotes", (host) => `Bearer realm=http://${host}/token,service=x,scope=repository:a/b:pull`],
    ["in single quotes", (host) => `Bearer realm='http://${host}/token',service='x',scope='${scope}'`],
    ["without commas", (host) => `Bearer realm="http://${host}/token" service="x" scope="${scope}"`],
    ["after Basic in one header", (host) => `Basic realm="x", Bearer realm="http://${host}/token",service="x"`],
    ["before Basic in one header", (host) => `Bearer realm="http://${host}/token",service="x", Basic realm="x"`],
    ["after Basic in another header", (host) => ['Basic realm="x"', `Bearer realm="http://${host}/token",service="x"`]],
    ["after others", (host) => ["Negotiate", "NTLM TlRMTVNT", `Bearer realm="http://${host}/token",service="x"`]],
    ["without a scope", (host) => `Bearer realm="http://${host}/token",service="x"`],
    ["with an empty scope", (host) => `Bearer realm="http://${host}/token",service="x",scope=""`],
  ])("%s is understood, and the token service is preferred", async (_, challenges) => {
    const { tokens, server } = await start(challenges);
    expect(await repositoryOf(server, password).resolve("v1")).toEqual(image.manifest);
    expect(tokens.seen).toHaveLength(1);
    expect(tokens.seen[0]?.headers.authorization).toBe(basic);
    const query = new URL(tokens.seen[0]?.url ?? "", "http://tokens").searchParams;
    expect([query.get("service"), query.getAll("scope")]).toEqual(["x", [scope]]);
  });

  it("with a query in its realm keeps it, and without a service sends none", async () => {
    for (const service of ["", ',service=""']) {
      const { tokens, server } = await start(
        (host) => `Bearer realm="http://${host}/token?account=x&a=b%26c"${service}`,
      );
      await repositoryOf(server).resolve("v1");
      expect(tokens.seen[0]?.url).toBe("/token?account=x&a=b%26c&scope=repository%3Aa%2Fb%3Apull");
    }
  });

  it("with several scopes results in one token for all of them, with each resource once", async () => {
    const said = `repository:a/b:pull,push  registry:catalog:* ${scope} repository:c/d:pull`;
    const { tokens, server } = await start((host) => `Bearer realm="http://${host}/token",scope="${said}"`);
    await repositoryOf(server).resolve("v1");
    expect(scopesOf(tokens)).toEqual([["repository:a/b:pull,push", "registry:catalog:*", "repository:c/d:pull"]]);
  });

  it("with a path as its realm means the registry itself", async () => {
    const { server } = await start(() => 'Bearer realm="/here/token",service="x"');
    expect(await repositoryOf(server, password).resolve("v1")).toEqual(image.manifest);
    expect(server.count("GET", `/here/token?service=x&scope=repository%3Aa%2Fb%3Apull`)).toBe(1);
  });

  it("with an invalid realm is ignored if Basic is offered", async () => {
    const { server } = await start(() => 'Bearer realm="Artifactory Realm", Basic realm="x"');
    expect(await repositoryOf(server, password).resolve("v1")).toEqual(image.manifest);
  });
});

describe("the response of a token service", () => {
  const bearer = (host: string) => `Bearer realm="http://${host}/token",service="x"`;
  const answering = (body: object | string) =>
    start(bearer, (_, response) => response.end(typeof body === "string" ? body : JSON.stringify(body)));

  it.each<[string, object]>([
    ["token", { token: "t" }],
    ["access_token", { access_token: "t" }],
    ["both", { token: "t", access_token: "other" }],
    ["an empty token and an access_token", { token: "", access_token: "t" }],
    ["null for missing fields", { token: null, access_token: "t", expires_in: null, issued_at: null }],
    ["an expires_in that is a string", { token: "t", expires_in: "300" }],
    ["an expires_in of 0", { token: "t", expires_in: 0 }],
    ["a negative expires_in", { token: "t", expires_in: -1 }],
    ["times that are not valid", { token: "t", expires_in: "soon", issued_at: "yesterday" }],
    ["a line feed", { token: "t\n" }],
    ["thousands of characters", { token: `t${"x".repeat(8_000)}` }],
  ])("may have %s", async (_, body) => {
    const { server, tokens } = await answering(body);
    const repository = repositoryOf(server, password);
    expect(await repository.resolve("v1")).toEqual(image.manifest);
    expect(await repository.resolve("v1")).toEqual(image.manifest);
    expect(tokens.seen).toHaveLength(1);
  });

  it.each(["", "{}", "null", "[]", '{"token":1}', '{"token":{}}', "<html>", '{"token":"a b"}'])(
    "of %j is an error that names the service",
    async (body) => {
      const { server, tokens } = await answering(body);
      const asked = repositoryOf(server, password).resolve("v1");
      expect(await codeOf(asked)).toBe("MOTE_REGISTRY");
      expect(await shownBy(asked)).toContain(tokens.host);
    },
  );

  it("without expires_in is valid for a minute", async () => {
    const { server, tokens } = await answering({ token: "t" });
    const repository = repositoryOf(server, password);
    vi.useFakeTimers({ toFake: ["Date"] });
    await repository.resolve("v1");
    vi.setSystemTime(Date.now() + 50_000);
    await repository.resolve("v1");
    expect(tokens.seen).toHaveLength(1);
    vi.setSystemTime(Date.now() + 10_000);
    await repository.resolve("v1");
    expect(tokens.seen).toHaveLength(2);
  });

  it.each([400, 401, 403])("of %i rejects the login, and the password is not sent elsewhere", async (status) => {
    const { server, tokens } = await start(bearer, (_, response) => refuse(response, status, "DENIED"));
    const asked = repositoryOf(server, password).resolve("v1");
    expect(await codeOf(asked)).toBe("MOTE_UNAUTHORIZED");
    expect(await shownBy(asked)).toMatch(new RegExp(`${tokens.host}.*rejected the credentials`));
    expect(server.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });
});
