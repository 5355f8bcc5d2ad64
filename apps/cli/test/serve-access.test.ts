import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get, type IncomingMessage } from "node:http";
import { get as getTls } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { digestBytes, mediaTypes, writeMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { listenOnLoopback, needs } from "@mote/testbed";
import { hashSync } from "bcryptjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run, runMote } from "./run-mote.js";
import { startServe } from "./start-serve.js";

const root = mkdtempSync(join(tmpdir(), "mote-serve-access-"));
const dir = join(root, "cache");
const users = join(root, "users");
const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] });

beforeAll(async () => {
  await using mote = await openMote({ dir });
  const bytes = new TextEncoder().encode(index);
  const descriptor = { mediaType: mediaTypes.ociIndex, digest: digestBytes(bytes), size: bytes.byteLength };
  await writeMote(mote.cache, descriptor, bytes);
  await mote.tags.tag("registry.example/app:1", descriptor);
  writeUsers("secret");
});
afterAll(() => rmSync(root, { recursive: true }));

function writeUsers(password: string): void {
  writeFileSync(users, `ann:${hashSync(password, 4)}\n`);
}

const manifest = "/v2/app/manifests/1";

async function responseTo(url: string, options: object = {}): Promise<IncomingMessage> {
  const start = url.startsWith("https:") ? getTls : get;
  const [response] = await once(start(url, { rejectUnauthorized: false, agent: false, ...options }), "response");
  response.resume();
  return response;
}

async function statusOf(url: string, auth?: string, method = "GET"): Promise<number | undefined> {
  return (await responseTo(url, { method, ...(auth === undefined ? {} : { auth }) })).statusCode;
}

describe("mote serve beyond loopback", () => {
  it("needs --htpasswd or --anonymous-pull", async () => {
    for (const host of ["0.0.0.0", "::", "mirror.lan"]) {
      const { status, stderr } = await runMote(["serve", "--host", host, "--cache", dir]);
      expect(status).toBe(2);
      expect(stderr).toMatch(/--htpasswd FILE .*--anonymous-pull/);
    }
  });

  it("with --anonymous-pull allows pulls, but neither pushes nor the status", async () => {
    const { url } = await startServe(dir, ["--host", "0.0.0.0", "--anonymous-pull"]);
    expect(await statusOf(`${url}${manifest}`)).toBe(200);
    expect(await statusOf(`${url}/v2/`)).toBe(200);
    expect(await statusOf(`${url}/v2/app/blobs/uploads/`, undefined, "POST")).toBe(403);
    expect(await statusOf(`${url}/metrics`)).toBe(403);
    expect(await statusOf(`${url}/livez`)).toBe(200);
  });

  it("warns that passwords are sent unencrypted without TLS", async () => {
    const { lines } = await startServe(dir, ["--host", "0.0.0.0", "--htpasswd", users]);
    await expect.poll(() => lines()[0]).toMatch(/warning: passwords are sent unencrypted; use --tls-cert/);
  });
});

describe("mote serve --htpasswd", () => {
  it("requires a login for everything except the health, and challenges clients", async () => {
    const { url } = await startServe(dir, ["--htpasswd", users]);
    for (const path of ["/v2/", manifest, "/v2/_catalog", "/", "/metrics", "/nothing"]) {
      const response = await responseTo(`${url}${path}`);
      expect(response.statusCode).toBe(401);
      expect(response.headers["www-authenticate"]).toMatch(/^Basic realm="/);
      expect(await statusOf(`${url}${path}`, "ann:wrong")).toBe(401);
    }
    expect(await statusOf(`${url}/v2/`, "ann:secret")).toBe(200);
    expect(await statusOf(`${url}${manifest}`, "ann:secret")).toBe(200);
    expect(await statusOf(`${url}/readyz`)).toBe(200);
  });

  it("with --anonymous-pull allows pulls without a login", async () => {
    const { url } = await startServe(dir, ["--htpasswd", users, "--anonymous-pull"]);
    expect(await statusOf(`${url}${manifest}`)).toBe(200);
    expect(await statusOf(`${url}${manifest}`, "ann:wrong")).toBe(401);
    expect(await statusOf(`${url}/metrics`)).toBe(401);
    expect(await statusOf(`${url}/v2/app/blobs/uploads/`, undefined, "POST")).toBe(401);
    expect((await responseTo(`${url}/v2/`)).headers["www-authenticate"]).toMatch(/^Basic /);
  });

  it("reads the file again on SIGHUP, and keeps the users if it is not valid", async () => {
    const { url, child, lines } = await startServe(dir, ["--htpasswd", users]);
    writeFileSync(users, "ann:plain\n");
    child.kill("SIGHUP");
    await expect.poll(lines).toContainEqual(expect.stringMatching(/"ann" is not bcrypt.*the users stay as they were/));
    expect(await statusOf(`${url}/v2/`, "ann:secret")).toBe(200);
    writeUsers("changed");
    child.kill("SIGHUP");
    await expect.poll(() => statusOf(`${url}/v2/`, "ann:changed")).toBe(200);
    expect(await statusOf(`${url}/v2/`, "ann:secret")).toBe(401);
    writeUsers("secret");
  });

  it.each([
    ["a file that does not exist", () => join(root, "absent"), /cannot read the htpasswd file .*ENOENT/],
    ["a folder", () => root, /cannot read the htpasswd file .*directory/],
    [
      "hashes that are not bcrypt",
      () => {
        const file = join(root, "weak");
        writeFileSync(file, "bob:{SHA}abc\n");
        return file;
      },
      /line 1 of .*"bob" is not bcrypt; create it with htpasswd -B/,
    ],
  ])("rejects %s", async (_, file, message) => {
    const { status, stderr } = await runMote(["serve", "--port", "0", "--cache", dir, "--htpasswd", file()]);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr.split("\n")).toHaveLength(2);
  });
});

const skopeo = needs("skopeo");

it.skipIf(skopeo !== "")(`skopeo reads without a login, and pushes with one${skopeo}`, async () => {
  const { url } = await startServe(dir, ["--htpasswd", users, "--anonymous-pull", "--push"]);
  const image = (path: string) => `docker://${new URL(url).host}/${path}`;
  const copy = (to: string, ...login: string[]) => {
    const insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    return run("skopeo", ["--insecure-policy", "copy", "--all", ...insecure, ...login, image("app:1"), image(to)]);
  };
  const { stdout } = await run("skopeo", ["inspect", "--raw", "--tls-verify=false", image("app:1")]);
  expect(stdout).toBe(index);
  expect((await copy("mine/app:1")).status).not.toBe(0);
  expect((await copy("mine/app:1", "--dest-creds=ann:wrong")).status).not.toBe(0);
  expect(await copy("mine/app:1", "--dest-creds=ann:secret")).toMatchObject({ status: 0 });
  expect(await statusOf(`${url}/v2/mine/app/manifests/1`)).toBe(200);
});

describe("mote serve with an upstream that needs a login", () => {
  it("uses only its own login there, and serves the content only to clients with a login", async () => {
    const logins = new Set<string | undefined>();
    const upstream = createServer(({ headers }, response) => {
      logins.add(headers.authorization);
      const isOwn = headers.authorization === `Basic ${btoa("mirror:own")}`;
      response.writeHead(isOwn ? 200 : 401, {
        "www-authenticate": 'Basic realm="upstream"',
        "content-type": mediaTypes.ociIndex,
      });
      response.end(isOwn ? index : "");
    });
    const host = await listenOnLoopback(upstream);
    writeFileSync(join(root, "config.json"), JSON.stringify({ auths: { [host]: { auth: btoa("mirror:own") } } }));
    const args = ["--upstream", host, "--htpasswd", users];
    const path = "/v2/team/app/manifests/1";

    const withLogin = await startServe(join(root, "own"), args, { DOCKER_CONFIG: root });
    expect(await statusOf(`${withLogin.url}${path}`, "ann:secret")).toBe(200);
    expect(await statusOf(`${withLogin.url}${path}`)).toBe(401);
    expect([...logins]).toEqual(expect.arrayContaining([`Basic ${btoa("mirror:own")}`]));

    const without = await startServe(join(root, "none"), args, { DOCKER_CONFIG: join(root, "absent") });
    expect(await statusOf(`${without.url}${path}`, "ann:secret")).toBe(401);
    for (const login of logins) expect([undefined, `Basic ${btoa("mirror:own")}`]).toContain(login);
    upstream.close();
  });
});

describe("mote serve --tls-cert", () => {
  const [cert, key] = [join(root, "cert.pem"), join(root, "key.pem")];
  const makePair = (name: string) => {
    const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    execFileSync("openssl", ["req", ...kind, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
  };
  const subjectOf = async (url: string) => {
    const { hostname: host, port } = new URL(url);
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return CN;
  };

  it("serves https, and reads certificate and key again on SIGHUP", async () => {
    makePair("first");
    const { url, child, lines } = await startServe(dir, ["--tls-cert", cert, "--tls-key", key]);
    expect(url).toMatch(/^https:/);
    expect(await statusOf(`${url}${manifest}`)).toBe(200);
    expect(await subjectOf(url)).toBe("first");
    makePair("second");
    child.kill("SIGHUP");
    await expect.poll(() => subjectOf(url)).toBe("second");
    writeFileSync(cert, "");
    child.kill("SIGHUP");
    await expect.poll(lines).toContainEqual(expect.stringContaining("the certificate in use stays"));
    expect(await subjectOf(url)).toBe("second");
  });

  it("rejects files that it cannot use", async () => {
    makePair("first");
    writeFileSync(key, "x");
    const args = ["serve", "--port", "0", "--cache", dir, "--tls-cert", cert, "--tls-key", key];
    const { status, stderr } = await runMote(args);
    expect([status, stderr]).toEqual([1, expect.stringContaining("is not a private key without a passphrase in PEM")]);
  });
});

describe("mote serve --access-log", () => {
  it("writes a JSON line per request, without passwords and the values of unknown parameters", async () => {
    const { url, lines } = await startServe(dir, ["--access-log", "--htpasswd", users, "--quiet"]);
    const headers = { "user-agent": "t\u00e9st \u009b31m" };
    await responseTo(`${url}${manifest}?ns=registry.example&token=hidden`, { auth: "ann:secret", headers });
    await responseTo(`${url}/v2/`, { auth: "ann:wrong" });
    await responseTo(`${url}/v2/app/blobs/sha256:${"0".repeat(64)}`, { auth: "ann:secret" });
    await expect.poll(() => lines().length).toBe(3);
    expect(lines().join("")).not.toMatch(/hidden|secret|wrong|[^\x20-\x7e]/);
    const [first, second, third] = lines().map((line) => JSON.parse(line));
    expect(first).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      client: "127.0.0.1",
      user: "ann",
      method: "GET",
      path: `${manifest}?ns=registry.example&token=\u2026`,
      status: 200,
      bytes: expect.any(Number),
      ms: expect.any(Number),
      cache: "hit",
      agent: "t\u00e9st \u009b31m",
    });
    expect(second).toMatchObject({ path: "/v2/", status: 401 });
    expect(second).not.toHaveProperty("user");
    expect(third).toMatchObject({ status: 404, user: "ann" });
  });
});
