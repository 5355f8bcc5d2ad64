import { sign } from "node:crypto";
import { needs, startDockerRegistry } from "@mote/testbed";
import { afterEach, describe, expect, it } from "vitest";
import { makeCertificate } from "../../test/certificate.js";
import { refuse } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf, read, sameBytes } from "../../test/outcome.js";
import { serve, type TestServer } from "../../test/server.js";
import { RegistryClient } from "../client.js";
import { RegistryRepository } from "../pull/repository.js";
import { RegistryDestination } from "../push/destination.js";
import type { Credentials } from "./credentials.js";

const wanted = needs("docker-registry", "openssl");
const issuer = "the issuer";
const service = "the service";
const image = makeImage(1_000_000);

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Serves tokens (distribution, "Token Authentication Implementation") that allow anonymous pulls, and pushes with the password. */
function serveSignedTokens({ key, cert }: { key: string; cert: string }, lifetimeSeconds: number): Promise<TestServer> {
  const der = cert.replace(/-----[^-]+-----|\s/g, "");
  return serve((request, response) => {
    const known = request.headers.authorization === `Basic ${Buffer.from("ann:s3cret").toString("base64")}`;
    if (request.headers.authorization !== undefined && !known) return refuse(response, 401, "UNAUTHORIZED");
    const scopes = new URL(request.url ?? "", "http://tokens").searchParams.getAll("scope");
    const access = scopes.map((scope) => {
      const [type, name, actions = ""] = scope.split(":");
      return { type, name, actions: actions.split(",").filter((action) => known || action === "pull") };
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: issuer,
      sub: "",
      aud: service,
      exp: now + lifetimeSeconds,
      nbf: now - 60,
      iat: now,
      jti: "1",
      access,
    };
    const [head, body] = [{ typ: "JWT", alg: "ES256", x5c: [der] }, claims].map((part) =>
      Buffer.from(JSON.stringify(part)).toString("base64url"),
    );
    const signature = sign("sha256", Buffer.from(`${head}.${body}`), { key, dsaEncoding: "ieee-p1363" });
    return response.end(
      JSON.stringify({ token: `${head}.${body}.${signature.toString("base64url")}`, expires_in: 300 }),
    );
  });
}

async function* chunks(bytes: Uint8Array | undefined) {
  if (bytes !== undefined) yield bytes;
}

describe.skipIf(wanted !== "")(`Debian's docker-registry with a token service${wanted}`, () => {
  const ann: Credentials = { kind: "password", username: "ann", password: "s3cret" };
  const [layer = image.config] = image.layers;

  async function start(lifetimeSeconds = 300) {
    const certificate = makeCertificate("tokens");
    const tokens = await serveSignedTokens(certificate, lifetimeSeconds);
    const realm = `http://${tokens.host}/token`;
    const registry = await startDockerRegistry({ tokens: { realm, service, issuer, cert: certificate.cert } });
    opened.push(tokens, registry);
    const client = (credentials?: Credentials) => {
      const one = new RegistryClient({ credentials: { get: async () => credentials } });
      opened.push(one);
      return one;
    };
    return { tokens, client, place: (repository: string) => ({ registry: registry.host, repository }) };
  }

  it("allows pushes and mounts with the password, and anonymous pulls", async () => {
    const { client, place, tokens } = await start();
    const mine = client(ann);
    await new RegistryDestination(mine, place("one/app")).blob(layer, chunks(image.blobs.get(layer.digest)));
    const destination = new RegistryDestination(mine, place("two/app"));
    expect(await destination.has(layer)).toBe(false);
    expect(await destination.mount(layer, [{ transport: "docker", ...place("one/app") }])).toBe(true);
    await destination.blob(image.config, chunks(image.blobs.get(image.config.digest)));
    await destination.manifest(image.manifest, image.manifestBytes);
    await destination.tag("v1", image.manifest);
    // One for each repository that is pushed to, and one for the two repositories of the mount.
    expect(tokens.seen).toHaveLength(3);

    const repository = new RegistryRepository(client(), place("two/app"));
    expect(await repository.resolve("v1")).toEqual(image.manifest);
    expect(sameBytes(await read(await repository.blob(layer)), image.blobs.get(layer.digest))).toBe(true);
    expect(tokens.seen).toHaveLength(4);
  });

  it("rejects anonymous pushes and wrong passwords", async () => {
    const { client, place } = await start();
    const push = (credentials?: Credentials) =>
      codeOf(
        new RegistryDestination(client(credentials), place("one/app")).blob(
          layer,
          chunks(image.blobs.get(layer.digest)),
        ),
      );
    expect(await push()).toBe("MOTE_UNAUTHORIZED");
    expect(await push({ ...ann, password: "wrong" })).toBe("MOTE_UNAUTHORIZED");
  });

  it("receives a new token for each request if the last one was rejected", async () => {
    // The registry allows clocks to differ by a minute.
    const { client, place, tokens } = await start(-61);
    const destination = new RegistryDestination(client(ann), place("one/app"));
    expect(await codeOf(destination.has(layer))).toBe("MOTE_UNAUTHORIZED");
    expect(tokens.seen).toHaveLength(1);
    expect(await codeOf(destination.has(layer))).toBe("MOTE_UNAUTHORIZED");
    expect(tokens.seen).toHaveLength(2);
  });
});
