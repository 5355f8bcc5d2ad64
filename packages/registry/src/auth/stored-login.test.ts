import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { refuse, serveImage } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf, shownBy } from "../../test/outcome.js";
import { serve, type TestServer } from "../../test/server.js";
import { serveTokens, type TokenServer } from "../../test/token-server.js";
import { RegistryClient, type RegistryClientOptions } from "../client.js";
import { RegistryRepository } from "../pull/repository.js";
import { RegistryDestination } from "../push/destination.js";
import type { Credentials } from "./credentials.js";

const image = makeImage(100);
const password: Credentials = { kind: "password", username: "ann", password: "s3cret" };
const basic = `Basic ${Buffer.from("ann:s3cret").toString("base64")}`;

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

function open(server: TestServer, credentials?: Credentials, options: RegistryClientOptions = {}) {
  let asked = 0;
  const client = new RegistryClient({
    retryDelayMs: 1,
    ...options,
    credentials: {
      async get() {
        asked++;
        return credentials;
      },
    },
  });
  opened.push(client);
  const place = (repository: string) => ({ registry: server.host, repository });
  return {
    asked: () => asked,
    repository: (name = "a/b") => new RegistryRepository(client, place(name)),
    destination: (name = "a/b") => new RegistryDestination(client, place(name)),
  };
}

interface Hiding {
  /** The status of responses without valid credentials. */
  readonly status: number;
  readonly admits: (request: IncomingMessage) => boolean;
  /** The challenge of `/v2/`; undefined: its response is 200. */
  readonly v2: string | undefined;
  /** Returns the challenge of another request, if it has one. */
  readonly challenge?: (request: IncomingMessage) => string | undefined;
}

/** A registry that challenges unauthenticated clients only at `/v2/`, or not at all. */
async function hidingRegistry({ status, admits, v2, challenge }: Hiding): Promise<TestServer> {
  const server = await serveImage(image, (request, response) => {
    const isV2 = request.url === "/v2/";
    if (isV2 && (admits(request) || v2 === undefined)) response.end("{}");
    else if (admits(request)) return false;
    else rejectAnonymous(request, response);
    return true;
  });
  opened.push(server);
  return server;

  function rejectAnonymous(request: IncomingMessage, response: ServerResponse) {
    const isV2 = request.url === "/v2/";
    const said = isV2 ? v2 : challenge?.(request);
    refuse(response, isV2 ? 401 : status, "DENIED", said === undefined ? {} : { "www-authenticate": said });
  }
}

const withPassword = (request: IncomingMessage) => request.headers.authorization === basic;

async function tokens(): Promise<TokenServer> {
  const server = await serveTokens({ login: "ann:s3cret" });
  opened.push(server);
  return server;
}

describe.each([401, 403, 404])("a registry that responds to anonymous requests with %i and no challenge", (status) => {
  it("receives the stored password after the challenge of /v2/, which is requested once", async () => {
    const server = await hidingRegistry({ status, admits: withPassword, v2: 'Basic realm="x"' });
    const { repository } = open(server, password);
    const names = ["a/b", "c/d", "e/f"];
    const found = await Promise.all(names.map((name) => repository(name).resolve("v1")));
    expect(found).toEqual(names.map(() => image.manifest));
    expect(server.count("GET", "/v2/")).toBe(1);
    expect(server.seen.find(({ url }) => url === "/v2/")?.headers.authorization).toBeUndefined();
    expect(await repository("g/h").resolve("v1")).toEqual(image.manifest);
    expect(server.seen.at(-1)?.headers.authorization).toBe(basic);
  });

  it("receives a token of the service that /v2/ names, with the scope of the request", async () => {
    const service = await tokens();
    const admits = (request: IncomingMessage) => service.admits(request, "repository:a/b:pull");
    const v2 = `Bearer realm="http://${service.host}/token",service="x"`;
    const server = await hidingRegistry({ status, admits, v2 });
    expect(await open(server, password).repository().resolve("v1")).toEqual(image.manifest);
    expect(service.seen.map(({ url }) => url)).toEqual(["/token?service=x&scope=repository%3Aa%2Fb%3Apull"]);
    expect(server.seen.some(({ headers }) => headers.authorization === basic)).toBe(false);
  });

  it("is told apart from one that rejects the login, by its own response", async () => {
    const server = await hidingRegistry({ status, admits: () => false, v2: 'Basic realm="x"' });
    const refused = open(server, password).repository().manifest(image.manifest);
    expect(await codeOf(refused)).toBe(
      { 401: "MOTE_UNAUTHORIZED", 403: "MOTE_FORBIDDEN", 404: "MOTE_NOT_FOUND" }[status],
    );
    expect(await shownBy(refused)).not.toMatch(/not used|s3cret/);
    // Without the login, /v2/, and with the login.
    expect(server.seen).toHaveLength(3);
  });

  it("does not receive the login if /v2/ needs none, and the error says why", async () => {
    const server = await hidingRegistry({ status, admits: () => false, v2: undefined });
    const { repository } = open(server, password);
    const refused = repository().resolve("v1");
    expect(await shownBy(refused)).toMatch(/the stored login was not used: \S+\/v2\/ requires no login \[200\]/);
    expect(server.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    await codeOf(repository("c/d").resolve("v1"));
    expect(server.count("GET", "/v2/")).toBe(1);
  });

  it("does not receive the login if /v2/ has an unknown scheme, which the error names", async () => {
    const server = await hidingRegistry({ status, admits: () => false, v2: "Negotiate, NTLM" });
    const shown = await shownBy(open(server, password).repository().resolve("v1"));
    expect(shown).toMatch(/not used: \S+ requires negotiate, ntlm, which mote does not support/);
  });

  it("does not receive the login, and no other host does, if /v2/ redirects to another host or is interrupted", async () => {
    const other = await serve((_, response) => refuse(response, 401, "X", { "www-authenticate": 'Basic realm="x"' }));
    opened.push(other);
    for (const kind of ["leads away", "is interrupted"]) {
      const server = await serve((request, response) => {
        if (request.url !== "/v2/") refuse(response, status, "DENIED");
        else if (kind === "leads away") response.writeHead(307, { location: `http://${other.host}/v2/` }).end();
        else response.destroy();
      });
      opened.push(server);
      const shown = await shownBy(open(server, password, { retries: 0 }).repository().resolve("v1"));
      expect([kind, shown]).toEqual([kind, expect.stringContaining("the stored login was not used")]);
      const seen = [...server.seen, ...other.seen];
      expect(seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    }
  });

  it("does not receive a refresh token as a password, and the error says so", async () => {
    const server = await hidingRegistry({ status, admits: withPassword, v2: 'Basic realm="x"' });
    const refused = open(server, { kind: "identity-token", token: "idt" }).repository().resolve("v1");
    expect(await shownBy(refused)).toContain("the stored login was not used: it is a token");
    expect(server.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });
});

it("looks up credentials once, and reports 403 and 404 if there are none", async () => {
  for (const status of [403, 404]) {
    const server = await hidingRegistry({ status, admits: () => false, v2: 'Basic realm="x"' });
    const { repository, asked } = open(server);
    for (let time = 0; time < 3; time++) await codeOf(repository().resolve("v1"));
    expect([status, server.count("GET", "/v2/"), asked()]).toEqual([status, 0, 1]);
  }
});

it("receives an anonymous token after a 401 without a challenge", async () => {
  const service = await serveTokens();
  opened.push(service);
  const admits = (request: IncomingMessage) => service.admits(request, "repository:a/b:pull");
  const server = await hidingRegistry({ status: 401, admits, v2: `Bearer realm="http://${service.host}/token"` });
  expect(await open(server).repository().resolve("v1")).toEqual(image.manifest);
});

describe("a 401 to HEAD alone without a challenge", () => {
  it("is followed by the challenge of /v2/, with a scope to push", async () => {
    const service = await tokens();
    const admits = (request: IncomingMessage) => service.admits(request, "repository:a/b:pull,push");
    const bearer = `Bearer realm="http://${service.host}/token",service="x"`;
    const server = await hidingRegistry({ status: 401, admits, v2: bearer });
    expect(await open(server, password).destination().has(image.config)).toBe(true);
  });

  it("is followed by the challenge of GET if /v2/ allows anonymous access", async () => {
    const service = await tokens();
    const admits = (request: IncomingMessage) => service.admits(request, "repository:a/b:pull,push");
    const bearer = `Bearer realm="http://${service.host}/token",service="x",scope="repository:a/b:pull"`;
    const challenge = ({ method }: IncomingMessage) => (method === "GET" ? bearer : undefined);
    const server = await hidingRegistry({ status: 401, admits, v2: undefined, challenge });
    expect(await open(server, password).destination().has(image.config)).toBe(true);
  });
});

describe("an expired token", () => {
  it("is renewed once after a 401 without a challenge", async () => {
    const service = await tokens();
    const scope = "repository:a/b:pull";
    const challenge = `Bearer realm="http://${service.host}/token",scope="${scope}"`;
    let isFirst = true;
    const server = await serveImage(image, (request, response) => {
      if (service.admits(request, scope)) return false;
      refuse(response, 401, "UNAUTHORIZED", isFirst ? { "www-authenticate": challenge } : {});
      isFirst = false;
      return true;
    });
    opened.push(server);
    const repository = open(server, password).repository();
    expect(await repository.resolve("v1")).toEqual(image.manifest);
    service.revoke();
    expect(await repository.resolve("v1")).toEqual(image.manifest);
    expect(service.seen).toHaveLength(2);
  });

  it("that is always expired ends in an error after a limited number of requests", async () => {
    const service = await tokens();
    for (const header of [
      {},
      { "www-authenticate": `Bearer realm="http://${service.host}/token",error="insufficient_scope"` },
    ]) {
      const server = await serveImage(image, (request, response) => {
        const isV2 = request.url === "/v2/";
        const v2 = { "www-authenticate": `Bearer realm="http://${service.host}/token"` };
        refuse(response, 401, "UNAUTHORIZED", isV2 ? v2 : header);
        return true;
      });
      opened.push(server);
      expect(await codeOf(open(server, password).repository().resolve("v1"))).toBe("MOTE_UNAUTHORIZED");
      expect(server.seen.filter(({ url }) => url !== "/v2/")).toHaveLength(3);
      expect(server.count("GET", "/v2/")).toBeLessThanOrEqual(1);
    }
  });
});

it.each([401, 403])("a token without a required scope is replaced after %i", async (status) => {
  const service = await tokens();
  const scope = "repository:a/b:pull,metadata_read";
  const server = await serveImage(image, (request, response) => {
    if (service.admits(request, scope)) return false;
    const { authorization } = request.headers;
    const lack = authorization === undefined ? "" : `,error="insufficient_scope",scope="repository:a/b:metadata_read"`;
    const challenge = `Bearer realm="http://${service.host}/token"${lack}`;
    refuse(response, authorization === undefined ? 401 : status, "DENIED", { "www-authenticate": challenge });
    return true;
  });
  opened.push(server);
  expect(await open(server, password).repository().resolve("v1")).toEqual(image.manifest);
});

it("a 401 or 403 of the storage behind a registry is reported as such, and credentials are not sent there", async () => {
  for (const [status, code] of [
    [401, "MOTE_UNAUTHORIZED"],
    [403, "MOTE_FORBIDDEN"],
  ] as const) {
    const storage = await serve((_, response) =>
      refuse(response, status, "X", { "www-authenticate": 'Basic realm="x"' }),
    );
    const server = await serveImage(image, (request, response) => {
      if (!withPassword(request)) refuse(response, 401, "X", { "www-authenticate": 'Basic realm="x"' });
      else response.writeHead(307, { location: `http://${storage.host}/blob?sig=abc` }).end();
      return true;
    });
    opened.push(storage, server);
    const refused = open(server, password).repository().manifest(image.manifest);
    expect(await codeOf(refused)).toBe(code);
    expect(await shownBy(refused)).toContain(`${storage.host}, to which ${server.host} redirects, rejected`);
    expect(storage.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  }
});
