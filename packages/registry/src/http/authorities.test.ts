import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { silentLogger } from "@mote/core";
import { needs } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeCertificate } from "../../test/certificate.js";
import { sendRange } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf } from "../../test/outcome.js";
import { serve } from "../../test/server.js";
import { RegistryClient, type RegistryClientOptions } from "../client.js";
import { RegistryRepository } from "../pull/repository.js";
import { defaultAuthorities } from "./authorities.js";
import { hostCertificates } from "./host-certificates.js";

const image = makeImage(100);
const wanted = needs("openssl");
const make = (name: string) => (wanted !== "" ? { key: "", cert: "" } : makeCertificate(name));
const [one, two] = [make("one"), make("two")];
const [root = ""] = tls.rootCertificates;
const damaged = one.cert.replace(/\n[A-Za-z0-9+/]{20}/, "\nAAAAAAAAAAAAAAAAAAAA");

let folder = "";
const opened: AsyncDisposable[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-authorities-"));
  for (const name of ["SSL_CERT_FILE", "SSL_CERT_DIR"]) vi.stubEnv(name, "");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const opening of opened.splice(0).reverse()) await opening[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function write(name: string, content: string): string {
  const file = join(folder, name);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, content);
  return file;
}

async function find(env: Record<string, string>, system = { files: [] as string[], folders: [] as string[] }) {
  const warnings: string[] = [];
  const all = await defaultAuthorities({ env, warn: (message) => warnings.push(message), system });
  const trusted = new Set(all?.map((pem) => pem.trim()));
  const has = (pem: string) => trusted.has(pem.trim());
  return { has, warnings, isNodes: all === undefined, hasRoots: has(root) };
}

describe.skipIf(wanted !== "")(`authorities${wanted}`, () => {
  it("are only Node's if there are no others", async () => {
    expect(await find({})).toMatchObject({ isNodes: true, warnings: [] });
    const file = write("bundle.crt", `# comment\r\n${root.replaceAll("\n", "\r\n")}\n`);
    expect(await find({ SSL_CERT_FILE: file })).toMatchObject({ isNodes: true, warnings: [] });
    expect(await find({ SSL_CERT_FILE: "", SSL_CERT_DIR: ":" })).toMatchObject({ isNodes: true, warnings: [] });
  });

  it("of SSL_CERT_FILE, SSL_CERT_DIR and the system are trusted in addition to Node's", async () => {
    const SSL_CERT_FILE = write("mine.pem", `${two.cert}text between\n${one.cert}`);
    const byFile = await find({ SSL_CERT_FILE });
    expect([byFile.has(one.cert), byFile.has(two.cert), byFile.hasRoots]).toEqual([true, true, true]);

    write("a/one.pem", one.cert);
    write("b/two.0", two.cert);
    write("b/README", "no certificate");
    mkdirSync(join(folder, "b/sub"));
    symlinkSync("two.0", join(folder, "b/link.0"));
    symlinkSync("gone", join(folder, "b/dangling.0"));
    const byFolder = await find({ SSL_CERT_DIR: `${join(folder, "a")}:${join(folder, "b")}` });
    expect([byFolder.has(one.cert), byFolder.has(two.cert), byFolder.hasRoots]).toEqual([true, true, true]);
    expect(byFolder.warnings).toEqual([]);

    const system = { files: [join(folder, "gone"), SSL_CERT_FILE], folders: [join(folder, "a")] };
    const bySystem = await find({}, system);
    expect([bySystem.has(two.cert), bySystem.hasRoots, bySystem.warnings]).toEqual([true, true, []]);
    const byItsFolder = await find(
      {},
      { files: [join(folder, "gone")], folders: [join(folder, "gone"), join(folder, "b")] },
    );
    expect([byItsFolder.has(one.cert), byItsFolder.has(two.cert)]).toEqual([false, true]);
    const both = await find({ SSL_CERT_DIR: join(folder, "a") }, { files: [join(folder, "b/two.0")], folders: [] });
    expect([both.has(one.cert), both.has(two.cert)]).toEqual([true, true]);
  });

  it("that are unreadable or damaged are reported with their file, and the others are trusted", async () => {
    const good = write("good/one.pem", one.cert);
    for (const [env, name] of [
      [{ SSL_CERT_FILE: join(folder, "gone.pem") }, "gone.pem"],
      [{ SSL_CERT_FILE: folder }, folder],
      [{ SSL_CERT_FILE: write("empty.pem", "") }, "empty.pem"],
      [{ SSL_CERT_FILE: write("text.pem", "no certificate") }, "text.pem"],
      [{ SSL_CERT_FILE: write("damaged.pem", damaged) }, "damaged.pem"],
      [{ SSL_CERT_DIR: `${join(folder, "nowhere")}:${join(folder, "good")}` }, "nowhere"],
      [{ SSL_CERT_DIR: good }, good],
    ] as const) {
      const { has, warnings } = await find(env, { files: [good], folders: [] });
      expect([name, warnings]).toEqual([name, [expect.stringContaining(name)]]);
      expect(has(one.cert)).toBe(true);
    }
  });

  async function pull(options: RegistryClientOptions = {}) {
    const server = await serve((request, response) => sendRange(request, response, image.manifestBytes), one);
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => warnings.push(message) };
    const client = new RegistryClient({ retries: 0, logger, ...options });
    opened.push(server, client);
    const place = { registry: server.host, repository: "a/b", scheme: "https" } as const;
    const repository = new RegistryRepository(client, place);
    const outcomes = [1, 2].map(() => codeOf(repository.manifest(image.manifest)));
    return { outcomes: await Promise.all(outcomes), warnings };
  }

  it("of the environment are used for registries, unless the settings name others", async () => {
    const refused = ["MOTE_UNREACHABLE", "MOTE_UNREACHABLE"];
    const taken = [undefined, undefined];
    expect(await pull()).toMatchObject({ outcomes: refused });
    vi.stubEnv("SSL_CERT_FILE", write("one.pem", one.cert));
    expect(await pull()).toEqual({ outcomes: taken, warnings: [] });
    expect(await pull({ ca: two.cert })).toEqual({ outcomes: refused, warnings: [] });
    // In addition to those of the host.
    const certificates = hostCertificates({ folders: [folder] });
    const own = { get: () => ({ ca: [two.cert] }) };
    expect(await pull({ certificates })).toEqual({ outcomes: taken, warnings: [] });
    expect(await pull({ certificates: own })).toEqual({ outcomes: taken, warnings: [] });
    vi.stubEnv("SSL_CERT_FILE", join(folder, "gone.pem"));
    vi.stubEnv("SSL_CERT_DIR", folder);
    expect(await pull()).toEqual({ outcomes: taken, warnings: [expect.stringContaining("gone.pem")] });
  });

  it("are not read for registries in plain HTTP", async () => {
    vi.stubEnv("SSL_CERT_FILE", join(folder, "gone.pem"));
    const server = await serve((request, response) => sendRange(request, response, image.manifestBytes));
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => warnings.push(message) };
    const client = new RegistryClient({ logger });
    opened.push(server, client);
    await new RegistryRepository(client, { registry: server.host, repository: "a/b" }).manifest(image.manifest);
    expect(warnings).toEqual([]);
  });
});
