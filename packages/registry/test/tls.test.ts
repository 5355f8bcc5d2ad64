import type { ServerOptions } from "node:https";
import type { TLSSocket } from "node:tls";
import { needs } from "@mote/testbed";
import { afterEach, describe, expect, it } from "vitest";
import { RegistryClient, type RegistryClientOptions } from "../src/client.js";
import { RegistryRepository } from "../src/pull/repository.js";
import { makeCertificate } from "./certificate.js";
import { refuse, sendRange } from "./fake-registry.js";
import { makeImage } from "./image.js";
import { codeOf } from "./outcome.js";
import { type Handler, serve } from "./server.js";

const image = makeImage(100);

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function secure(answer: Handler, tls: ServerOptions, options: RegistryClientOptions = {}) {
  const server = await serve(answer, tls);
  const client = new RegistryClient({ retryDelayMs: 1, ...options });
  opened.push(server, client);
  const place = { registry: server.host, repository: "a/b", scheme: "https" } as const;
  return { server, repository: new RegistryRepository(client, place) };
}

const wanted = needs("openssl");

describe.skipIf(wanted !== "")(`TLS${wanted}`, () => {
  const mine = wanted !== "" ? { key: "", cert: "" } : makeCertificate("registry");
  const manifest: Handler = (request, response) => sendRange(request, response, image.manifestBytes);

  it("accepts a trusted certificate, and any if requested", async () => {
    const untrusted = await secure(manifest, mine);
    await expect(untrusted.repository.manifest(image.manifest)).rejects.toMatchObject({
      code: "MOTE_UNREACHABLE",
      details: { reason: "DEPTH_ZERO_SELF_SIGNED_CERT" },
    });
    expect(untrusted.server.seen).toHaveLength(0);
    for (const options of [{ ca: mine.cert }, { ca: [new TextEncoder().encode(mine.cert)] }, { insecure: true }]) {
      const { repository } = await secure(manifest, mine, options);
      expect(await repository.manifest(image.manifest)).toEqual(image.manifestBytes);
    }
  });

  it("sends a client certificate", async () => {
    const client = makeCertificate("ann");
    const names: unknown[] = [];
    const answer: Handler = (request, response) => {
      names.push((request.socket as TLSSocket).getPeerCertificate().subject?.CN);
      return manifest(request, response);
    };
    const tls = { ...mine, requestCert: true, ca: client.cert };
    const { repository } = await secure(answer, tls, { ca: mine.cert, ...client });
    await repository.manifest(image.manifest);
    expect(names).toEqual(["ann"]);
  });

  it("sends it to the registry, and not to the target of a redirect", async () => {
    const client = makeCertificate("ann");
    const names: unknown[] = [];
    const name = (request: Parameters<Handler>[0]) =>
      names.push((request.socket as TLSSocket).getPeerCertificate().subject?.CN);
    const tls = { ...mine, requestCert: true, rejectUnauthorized: false };
    const storage = await serve((request, response) => {
      name(request);
      return manifest(request, response);
    }, tls);
    opened.push(storage);
    const { repository } = await secure(
      (request, response) => {
        name(request);
        return response.writeHead(307, { location: `https://${storage.host}/` }).end();
      },
      tls,
      { ca: mine.cert, ...client },
    );
    await repository.manifest(image.manifest);
    expect(names).toEqual(["ann", undefined]);
  });

  it("rejects an invalid certificate, and one with another key", async () => {
    const other = makeCertificate("bob");
    for (const options of [
      { ca: "nonsense\n" },
      { cert: mine.cert, key: "nonsense" },
      { cert: mine.cert, key: other.key },
    ]) {
      const { repository, server } = await secure(manifest, mine, options);
      expect(await codeOf(repository.manifest(image.manifest))).toBe("MOTE_CONFIG");
      expect(server.seen).toEqual([]);
    }
  });

  it("does not follow a redirect to plain HTTP", async () => {
    const plain = await serve(manifest);
    opened.push(plain);
    const { repository } = await secure(
      (_, response) => response.writeHead(307, { location: `http://${plain.host}/` }).end(),
      mine,
      { ca: mine.cert },
    );
    expect(await codeOf(repository.manifest(image.manifest))).toBe("MOTE_REGISTRY");
    expect(plain.seen).toHaveLength(0);
  });

  it("does not send credentials to a token service in plain HTTP", async () => {
    const plain = await serve((_, response) => response.end('{"token":"x"}'));
    opened.push(plain);
    const { repository } = await secure(
      (_, response) => refuse(response, 401, "X", { "www-authenticate": `Bearer realm="http://${plain.host}/token"` }),
      mine,
      {
        ca: mine.cert,
        credentials: { get: async () => ({ kind: "password", username: "ann", password: "s3cret" }) },
      },
    );
    expect(await codeOf(repository.manifest(image.manifest))).toBe("MOTE_REGISTRY");
    expect(plain.seen).toHaveLength(0);
  });

  it("on a port in plain HTTP is unreachable", async () => {
    const server = await serve(manifest, mine);
    const client = new RegistryClient({ retryDelayMs: 1, retries: 1 });
    opened.push(server, client);
    const repository = new RegistryRepository(client, { registry: server.host, repository: "a/b" });
    expect(await codeOf(repository.manifest(image.manifest))).toBe("MOTE_UNREACHABLE");
  });
});
