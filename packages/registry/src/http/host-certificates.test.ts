import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { needs } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCertificate } from "../../test/certificate.js";
import { sendRange } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf } from "../../test/outcome.js";
import { type Handler, serve, type TestServer } from "../../test/server.js";
import { RegistryClient, type RegistryClientOptions } from "../client.js";
import { RegistryRepository } from "../pull/repository.js";
import { hostCertificates } from "./host-certificates.js";

const image = makeImage(100);
const manifest: Handler = (request, response) => sendRange(request, response, image.manifestBytes);

let folder: string;
const opened: AsyncDisposable[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-certs-"));
});
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** A registry over TLS that records the client certificate of each request. */
async function secure(own: { key: string; cert: string }, answer: Handler = manifest) {
  const names: unknown[] = [];
  const server = await serve(
    (request, response) => {
      names.push((request.socket as TLSSocket).getPeerCertificate().subject?.CN);
      return answer(request, response);
    },
    { ...own, requestCert: true, rejectUnauthorized: false },
  );
  opened.push(server);
  return { ...server, names };
}

function keep(host: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, host));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, host, name), content);
}

function repositoryAt({ host }: Pick<TestServer, "host">, options: RegistryClientOptions = {}) {
  const certificates = hostCertificates({ folders: [join(folder, "nowhere"), folder] });
  const client = new RegistryClient({ retryDelayMs: 1, retries: 0, certificates, ...options });
  opened.push(client);
  return new RegistryRepository(client, { registry: host, repository: "a/b", scheme: "https" });
}

const wanted = needs("openssl");

describe.skipIf(wanted !== "")(`certificates of a host${wanted}`, () => {
  const make = (name: string) => (wanted !== "" ? { key: "", cert: "" } : makeCertificate(name));
  const [one, other, ann, bob] = [make("one"), make("other"), make("ann"), make("bob")];

  it("are trusted by and sent to that host only", async () => {
    const [first, second] = [await secure(one), await secure(other)];
    keep(first.host, { "ca.crt": one.cert, "client.cert": ann.cert, "client.key": ann.key });
    keep(second.host, { "other.crt": other.cert });
    expect(await repositoryAt(first).manifest(image.manifest)).toEqual(image.manifestBytes);
    expect(await repositoryAt(second).manifest(image.manifest)).toEqual(image.manifestBytes);
    expect([first.names, second.names]).toEqual([["ann"], [undefined]]);
    const third = await secure(one);
    expect(await codeOf(repositoryAt(third).manifest(image.manifest))).toBe("MOTE_UNREACHABLE");
  });

  it("take precedence over those of all hosts, whose authorities stay trusted", async () => {
    const server = await secure(one);
    keep(server.host, { "ca.crt": other.cert, "client.cert": ann.cert, "client.key": ann.key });
    await repositoryAt(server, { ca: one.cert, ...bob }).manifest(image.manifest);
    const unkept = await secure(one);
    await repositoryAt(unkept, { ca: one.cert, ...bob }).manifest(image.manifest);
    expect([server.names, unkept.names]).toEqual([["ann"], ["bob"]]);
  });

  it("are trusted but not sent after a redirect to that host", async () => {
    const storage = await secure(other);
    const server = await secure(one, (_, response) =>
      response.writeHead(307, { location: `https://${storage.host}/` }).end(),
    );
    keep(server.host, { "ca.crt": one.cert });
    keep(storage.host, { "ca.crt": other.cert, "client.cert": ann.cert, "client.key": ann.key });
    expect(await repositoryAt(server).manifest(image.manifest)).toEqual(image.manifestBytes);
    expect(storage.names).toEqual([undefined]);
  });

  it("are an error in the settings if they are invalid or without a key", async () => {
    const cases: [Readonly<Record<string, string>>, string][] = [
      [{ "ca.crt": "nonsense" }, "ca.crt"],
      [{ "a.crt": one.cert, "b.crt": other.cert.replace(/[A-Z]{3}/g, "AAA"), "c.crt": one.cert }, "b.crt"],
      [{ "ca.crt": one.cert, "client.cert": ann.cert }, "client.key"],
      [{ "ca.crt": one.cert, "client.cert": ann.cert, "client.key": bob.key }, "client.cert"],
    ];
    for (const [kept, damaged] of cases) {
      const server = await secure(one);
      keep(server.host, kept);
      const refused = await repositoryAt(server)
        .manifest(image.manifest)
        .catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: "MOTE_CONFIG", message: expect.stringContaining(damaged) });
      expect(server.seen).toEqual([]);
    }
  });
});

it("certificates of docker.io, and of a host with its default port, are found", () => {
  for (const name of ["docker.io", "registry.example:443"]) keep(name, { "ca.crt": name });
  const certificates = hostCertificates({ folders: [folder] });
  expect(certificates.get("registry-1.docker.io")).toMatchObject({ ca: ["docker.io"] });
  expect(certificates.get("registry.example")).toMatchObject({ ca: ["registry.example:443"] });
  expect(certificates.get("registry.example:5000")).toBeUndefined();
});
