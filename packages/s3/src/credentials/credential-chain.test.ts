import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MoteError, untilAborted } from "@mote/core";
import { listenOnLoopback } from "@mote/testbed";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { containerService } from "./container-role.js";
import { credentialChain } from "./credential-chain.js";
import type { Credentials } from "./credentials.js";
import { type Environment, parseSections, readProfile } from "./profile-files.js";
import { RefreshedCredentials } from "./refreshed-credentials.js";

let folder: string;
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mote-aws-"));
  await writeFile(join(folder, "token"), "a token\n");
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(() => rm(folder, { recursive: true }));

/** Starts a service that responds with what `respond` returns, and records the requests. */
async function serve(respond: (request: IncomingMessage, body: string) => string | number) {
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    requests.push(`${request.method} ${request.url} ${request.headers.authorization ?? ""} ${body}`.trim());
    const responded = respond(request, body);
    response.statusCode = typeof responded === "number" ? responded : 200;
    response.end(typeof responded === "number" ? "" : responded);
  });
  const host = await listenOnLoopback(server);
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://${host}`, requests };
}

/** An environment without the profile files of the user who runs the tests. */
const environment = (more: Environment): Environment => ({ HOME: folder, AWS_EC2_METADATA_DISABLED: "true", ...more });
const get = async (env: Environment) => await credentialChain(environment(env), "us-east-1")();
const document = JSON.stringify({
  AccessKeyId: "A",
  SecretAccessKey: "S",
  Token: "T",
  Expiration: "2030-01-01T00:00:00Z",
});
const issued = {
  accessKeyId: "A",
  secretAccessKey: "S",
  sessionToken: "T",
  expiresMs: Date.parse("2030-01-01T00:00:00Z"),
};

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  return MoteError.isInstance(error) ? error.code : String(error);
}

describe("credentials", () => {
  it("come from the environment first", async () => {
    const keys = { AWS_ACCESS_KEY_ID: "A", AWS_SECRET_ACCESS_KEY: "S" };
    expect(await get(keys)).toEqual({ accessKeyId: "A", secretAccessKey: "S" });
    expect(await get({ ...keys, AWS_SESSION_TOKEN: "T", AWS_ROLE_ARN: "x" })).toMatchObject({ sessionToken: "T" });
  });

  it("come from profiles, of which the credentials file counts more", async () => {
    const config = join(folder, "config");
    const shared = join(folder, "shared");
    await writeFile(
      config,
      "[default]\nregion = eu-west-1\naws_access_key_id = old\n[profile ci]\nregion=us-west-2\ns3 =\n  x = y\n",
    );
    await writeFile(
      shared,
      "# a comment\n[default]\naws_access_key_id = D\naws_secret_access_key = d+/=\n\n[ci]\naws_access_key_id=C\naws_secret_access_key=c\naws_session_token=t\n",
    );
    const files = { AWS_CONFIG_FILE: config, AWS_SHARED_CREDENTIALS_FILE: shared };
    expect(await get(files)).toEqual({ accessKeyId: "D", secretAccessKey: "d+/=" });
    expect(await get({ ...files, AWS_PROFILE: "ci" })).toEqual({
      accessKeyId: "C",
      secretAccessKey: "c",
      sessionToken: "t",
    });
    expect(readProfile({ ...files, AWS_PROFILE: "ci" }).get("region")).toBe("us-west-2");
    expect(await codeOf(get({ ...files, AWS_PROFILE: "none" }))).toBe("MOTE_CONFIG");
    await writeFile(config, "[profile sso]\nsso_session = x\n");
    expect(await codeOf(get({ ...files, AWS_PROFILE: "sso" }))).toBe("MOTE_CONFIG");
    expect(parseSections("a = b\n[ x  y ]\nk=v\n").get("x y")?.get("k")).toBe("v");
  });

  it("come from the program that a profile names", async () => {
    const config = join(folder, "process");
    const files = { AWS_CONFIG_FILE: config, AWS_SHARED_CREDENTIALS_FILE: join(folder, "absent") };
    const printed = JSON.parse(document);
    for (const [script, result] of [
      [JSON.stringify({ Version: 1, ...printed, SessionToken: "T", Token: undefined }), issued],
      ["not JSON", "MOTE_UNAUTHORIZED"],
      ["process.exit(3)", "MOTE_UNAUTHORIZED"],
    ] as const) {
      const program = join(folder, "program.mjs");
      await writeFile(program, script.startsWith("{") ? `console.log(${JSON.stringify(script)})` : script);
      await writeFile(config, `[default]\ncredential_process = "${process.execPath}" "${program}"\n`);
      if (typeof result === "string") expect(await codeOf(get(files))).toBe(result);
      else expect(await get(files)).toEqual(result);
    }
  });

  it("come from a web identity, whose token is read again each time", async () => {
    const service = await serve(
      () =>
        `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
    );
    const env = {
      AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, "token"),
      AWS_ROLE_ARN: "arn:role",
      AWS_ENDPOINT_URL_STS: service.url,
    };
    expect(await get(env)).toEqual(issued);
    expect(service.requests[0]).toContain("Action=AssumeRoleWithWebIdentity");
    expect(service.requests[0]).toContain("WebIdentityToken=a+token");
    expect(await codeOf(get({ ...env, AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, "absent") }))).toBe(
      "MOTE_UNAUTHORIZED",
    );
  });

  it("come from the service of the container, with its token", async () => {
    const service = await serve(() => document);
    const env = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${service.url}/role`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(folder, "token"),
    };
    expect(await get(env)).toEqual(issued);
    expect(service.requests).toEqual(["GET /role a token"]);
    expect(containerService({ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/x" })?.href).toBe(
      "http://169.254.170.2/v2/x",
    );
    for (const url of ["http://evil.example/x", "file:///etc/passwd", "x"])
      expect(await codeOf(get({ AWS_CONTAINER_CREDENTIALS_FULL_URI: url }))).toBe("MOTE_CONFIG");
  });

  it("come from the metadata of the machine, with a session token of it", async () => {
    const service = await serve((request) => {
      if (request.method === "PUT") return "session";
      if (request.headers["x-aws-ec2-metadata-token"] !== "session") return 401;
      return request.url?.endsWith("/") ? "the-role\n" : document;
    });
    const env = { AWS_EC2_METADATA_DISABLED: "", AWS_EC2_METADATA_SERVICE_ENDPOINT: service.url };
    expect(await get(env)).toEqual(issued);
  });

  it("that are not given are an error that says what to set", async () => {
    expect(await codeOf(get({}))).toBe("MOTE_UNAUTHORIZED");
    const service = await serve(() => 500);
    expect(await codeOf(get({ AWS_CONTAINER_CREDENTIALS_FULL_URI: service.url }))).toBe("MOTE_UNAUTHORIZED");
    expect(service.requests.length).toBe(4);
  });
});

describe("credentials that expire", () => {
  const provide = (nowMs: () => number, lifeMs: number) => {
    let calls = 0;
    const provider = async (): Promise<Credentials> => {
      calls++;
      if (nowMs() > 2_000_000) throw new MoteError("MOTE_UNAUTHORIZED", "the service is down");
      return { accessKeyId: `key-${calls}`, secretAccessKey: "S", expiresMs: nowMs() + lifeMs };
    };
    return new RefreshedCredentials(provider, nowMs);
  };

  it("are renewed before, once for all who need them", async () => {
    let nowMs = 0;
    const credentials = provide(() => nowMs, 900_000);
    const first = await Promise.all([credentials.get(), credentials.get(), credentials.get()]);
    expect(first.map(({ accessKeyId }) => accessKeyId)).toEqual(["key-1", "key-1", "key-1"]);
    nowMs = 500_000;
    expect((await credentials.get()).accessKeyId).toBe("key-1");
    nowMs = 700_000;
    expect((await credentials.get()).accessKeyId).toBe("key-2");
  });

  it("are used as long as they are valid if they cannot be renewed", async () => {
    let nowMs = 1_900_000;
    const credentials = provide(() => nowMs, 900_000);
    await credentials.get();
    nowMs = 2_700_000;
    expect((await credentials.get()).accessKeyId).toBe("key-1");
    nowMs = 2_900_000;
    expect(await codeOf(credentials.get())).toBe("MOTE_UNAUTHORIZED");
  });

  it("are no longer requested when the last caller that waits for them has aborted", async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    let given: AbortSignal | undefined;
    const credentials = new RefreshedCredentials(async ({ signal } = {}) => {
      given = signal;
      return await untilAborted(new Promise<never>(() => {}), signal);
    });
    const waiting = [first, second].map(({ signal }) => codeOf(credentials.get({ signal })));
    first.abort("one");
    expect([await waiting[0], given?.aborted]).toEqual(["one", false]);
    second.abort("two");
    expect([await waiting[1], given?.reason]).toEqual(["two", "two"]);
  });

  it("are not accepted with control characters", async () => {
    const credentials = new RefreshedCredentials(() => ({ accessKeyId: "a\r\nx: y", secretAccessKey: "S" }));
    expect(await codeOf(credentials.get())).toBe("MOTE_UNAUTHORIZED");
  });
});
