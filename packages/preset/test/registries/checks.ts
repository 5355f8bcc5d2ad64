import { isDigest, MoteError, referrersTag } from "@mote/core";
import {
  addImage,
  addIndex,
  type Check,
  expireTokens,
  type SimulatedRegistry,
  type SimulatedRequest,
} from "@mote/testbed";
import { expect, vi } from "vitest";
import { logIn } from "../../src/index.js";
import { putImage, putIndex } from "../images.js";
import type { Bench } from "./bench.js";

/** The checks. Each returns its cell of the table. */
export const checks: Readonly<Record<Check, (bench: Bench) => Promise<string>>> = {
  "log in": checkLogin,
  pull: checkPull,
  private: checkPrivate,
  platform: checkPlatform,
  "push twice": checkPush,
  "push an index": checkIndex,
  "lost responses": checkLostResponses,
  "immutable tag": checkImmutableTag,
  referrers: checkReferrers,
  resume: checkResume,
  "rate limit": checkRateLimit,
  mount: checkMount,
};

async function checkLogin({ registry, open, at }: Bench): Promise<string> {
  const { login } = registry.kind;
  if (login === undefined) throw new Error("a registry without a login lacks the check of logins");
  const wrong = await logIn(registry.host, { ...login, password: "another" }).catch((error: unknown) => error);
  // The password was not checked if reading needs none, and that is reported.
  const isChecked = MoteError.isInstance(wrong);
  if (isChecked) expect(wrong.code).toBe("MOTE_UNAUTHORIZED");
  else expect(wrong).toMatchObject({ isChecked });
  expect(await logIn(registry.host, login)).toMatchObject({ isChecked });
  const { manifest } = addImage(registry.repositories, "team/app", { tag: "1" });
  await using mote = await open();
  await mote.copy(at("team/app:1"), at("team/copy:1"));
  expect(registry.repositories.manifest("team/copy", "1")?.digest).toBe(manifest.digest);
  return isChecked ? "ok" : "ok: unchecked";
}

async function checkPull({ registry, root, open, at, logIn }: Bench): Promise<string> {
  logIn();
  const { manifest } = addImage(registry.repositories, "team/app", { tag: "1", layers: [1000, 300_000, 0] });
  await using mote = await open();
  await mote.pull(at(`team/app@${manifest.digest}`), `oci:${root}/by-digest:1`);
  const blobs = registry.requests.filter(isBlobRead).length;
  const report = await mote.pull(at("team/app:1"), `oci:${root}/by-tag:1`);
  expect(report.refs[0]?.resolved.digest).toBe(manifest.digest);
  expect(registry.requests.filter(isBlobRead).length).toBe(blobs);
  return "ok";
}

async function checkPrivate({ registry, open, at, logIn }: Bench): Promise<string> {
  const { manifest } = addImage(registry.repositories, "private/app", { tag: "1" });
  const pull = async () => {
    await using mote = await open();
    return await mote.pull(at("private/app:1"));
  };
  const refused: unknown = await pull().catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: expect.stringMatching(/^MOTE_(UNAUTHORIZED|FORBIDDEN|NOT_FOUND)$/) });
  expect(String(refused)).toMatch(/log in|mote login/);
  logIn();
  expect((await pull()).refs[0]?.resolved.digest).toBe(manifest.digest);
  return "ok";
}

async function checkPlatform({ registry, root, open, at, logIn }: Bench): Promise<string> {
  logIn();
  const images = ["amd64", "arm64"].map((architecture) => {
    const { manifest, layers } = addImage(registry.repositories, "team/app", { architecture });
    return { layers, entry: { ...manifest, platform: { os: "linux", architecture } } };
  });
  addIndex(registry.repositories, "team/app", { tag: "1", manifests: images.map(({ entry }) => entry) });
  await using mote = await open();
  await mote.pull(at("team/app:1"), `oci:${root}/arm64:1`, { platform: "linux/arm64" });
  const read = images.map(({ layers }) => registry.requests.some((one) => isBytesOf(one, layers[0]?.digest ?? "")));
  expect(read).toEqual([false, true]);
  return "ok";
}

async function checkPush({ registry, open, at, logIn }: Bench): Promise<string> {
  logIn();
  const push = async () => {
    await using mote = await open();
    const image = await putImage(mote.cache, [], { a: 1000, b: 300_000, c: 9_000_000 });
    const other = await putImage(mote.cache, [], { d: 1000 });
    const index = await putIndex(mote.cache, ["app"], [image.manifest, other.manifest]);
    await mote.copy(index.digest, at("team/pushed:1"));
    return index.digest;
  };
  registry.once((reply, { method, route }) => {
    if (route.kind !== "upload" || method !== "PATCH") return undefined;
    expireTokens(registry);
    return reply;
  });
  const digest = await push();
  expect(registry.repositories.manifest("team/pushed", "1")?.digest).toBe(digest);
  const before = registry.requests.length;
  await push();
  const again = registry.requests.slice(before);
  // A rejected request has changed nothing: in Nexus, HEAD does not find manifests.
  expect(again.filter((request) => isManifestWrite(request) && request.status < 300).map(nameOf)).toEqual([]);
  // If HEAD does not show whether a blob exists, it must be sent again.
  return again.every(({ method }) => method !== "PUT") ? "ok" : "ok: blobs again";
}

async function checkIndex({ registry, source, open, at, logIn }: Bench): Promise<string> {
  logIn();
  const images = ["amd64", "arm64"].map((architecture) => {
    const { manifest } = addImage(source.repositories, "team/app", { architecture });
    return { ...manifest, platform: { os: "linux", architecture } };
  });
  const index = addIndex(source.repositories, "team/app", { tag: "1", manifests: images });
  await using mote = await open();
  await mote.copy(`docker://${source.host}/team/app:1`, at("team/copy:1"));
  expect(registry.repositories.manifest("team/copy", "1")?.digest).toBe(index.digest);
  const { manifests } = registry.repositories.get("team/copy");
  expect(images.every(({ digest }) => manifests.has(digest))).toBe(true);
  return "ok";
}

async function checkLostResponses({ registry, open, at, logIn }: Bench): Promise<string> {
  logIn();
  const lost = { status: 503, headers: { "content-type": "text/html" }, body: "<h1>Service Unavailable</h1>" };
  const losing = [
    { method: "PATCH", kind: "upload" },
    { method: "PUT", kind: "upload" },
    { method: "PUT", kind: "manifest" },
  ];
  for (const { method, kind } of losing) {
    registry.once((reply, request) =>
      request.method === method && request.route.kind === kind && reply.status < 300 ? lost : undefined,
    );
  }
  await using mote = await open();
  const { manifest } = await putImage(mote.cache, ["app"], { a: 9_000_000 });
  await mote.copy(manifest.digest, at("team/pushed:1"));
  expect(registry.repositories.manifest("team/pushed", "1")?.digest).toBe(manifest.digest);
  return `ok: ${registry.requests.filter(({ status }) => status === lost.status).length} lost`;
}

async function checkImmutableTag({ registry, open, at, logIn }: Bench): Promise<string> {
  logIn();
  const first = addImage(registry.repositories, "immutable/app", { tag: "1" });
  await using mote = await open();
  await mote.pull(at("immutable/app:1"));
  await mote.copy(first.manifest.digest, at("immutable/app:1"));
  const { manifest } = await putImage(mote.cache, ["other"], { z: 10 });
  const refused = await mote.copy(manifest.digest, at("immutable/app:1")).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(MoteError);
  expect(String(refused)).toMatch(/immutable|already exists|overwrit|locked/i);
  expect(registry.repositories.manifest("immutable/app", "1")?.digest).toBe(first.manifest.digest);
  return "ok";
}

async function checkReferrers({ registry, source, root, open, at, logIn }: Bench): Promise<string> {
  logIn();
  const { manifest } = addImage(source.repositories, "team/app", { tag: "1" });
  const referrers = ["signature", "sbom"].map((name) => {
    const fields = { subject: manifest, artifactType: `application/vnd.example.${name}` };
    return addImage(source.repositories, "team/app", { layers: [20], fields }).manifest.digest;
  });
  const push = async () => {
    await using mote = await open();
    await mote.copy(`docker://${source.host}/team/app:1`, at("team/copy:1"), { referrers: true });
  };
  await push();
  const before = registry.requests.length;
  await push();
  const again = registry.requests.slice(before).filter(isManifestWrite);
  expect(again.map(nameOf)).toEqual([]);
  await using mote = await open();
  const report = await mote.pull(at("team/copy:1"), `oci:${root}/pulled:1`, { referrers: true });
  expect(report.referrers.map(({ descriptor }) => descriptor.digest).sort()).toEqual(referrers.sort());
  if (!isDigest(manifest.digest)) throw new Error("a seeded digest is not valid");
  const tagged = registry.repositories.manifest("team/copy", referrersTag(manifest.digest));
  return tagged === undefined ? "ok: API" : "ok: tag";
}

async function checkResume({ registry, root, open, at, logIn }: Bench): Promise<string> {
  logIn();
  const size = 300_000;
  const cutAfter = 100_000;
  const { layers } = addImage(registry.repositories, "team/app", { tag: "1", layers: [size] });
  const digest = layers[0]?.digest ?? "";
  registry.once((reply, request) =>
    isBytesOf(request, digest) && reply.status === 200 ? { ...reply, cutAfter } : undefined,
  );
  await using mote = await open();
  await mote.pull(at("team/app:1"), `oci:${root}/layout:1`);
  const [first, second, ...more] = registry.requests.filter(
    (request) => isBytesOf(request, digest) && (request.status === 200 || request.status === 206),
  );
  expect(first?.status).toBe(200);
  expect(more).toEqual([]);
  const [, start = "", end = ""] = /^bytes=(\d+)-(\d*)$/.exec(second?.headers.range ?? "") ?? [];
  expect(Number(start)).toBeGreaterThan(0);
  expect(Number(start)).toBeLessThanOrEqual(cutAfter);
  expect(end).toBe(String(size - 1));
  return "ok";
}

async function checkRateLimit({ registry, root, open, at, logIn }: Bench): Promise<string> {
  logIn();
  const { manifest } = addImage(registry.repositories, "team/app", { tag: "1" });
  const limited = registry.kind.rateLimit?.reply ?? { status: 429, headers: { "retry-after": "0" } };
  for (const kind of ["manifest", "blob"]) {
    registry.once((reply, request) => (request.route.kind === kind && reply.status < 400 ? limited : undefined));
  }
  await using mote = await open();
  const { refs } = await mote.pull(at("team/app:1"), `oci:${root}/layout:1`);
  expect(refs[0]?.resolved.digest).toBe(manifest.digest);
  expect(registry.requests.filter(({ status }) => status === limited.status).length).toBe(2);
  return "ok";
}

async function checkMount({ registry, open, at, logIn }: Bench): Promise<string> {
  logIn();
  addImage(registry.repositories, "team/app", { tag: "1" });
  await using mote = await open();
  await mote.pull(at("team/app:1"));
  const { mounted } = await mote.copy(at("team/app:1"), at("team/other:1"));
  expect(registry.repositories.manifest("team/other", "1")).toBeDefined();
  // An upload that was started instead of a mount is closed in the background.
  await vi.waitFor(() => expect(registry.repositories.uploads.size).toBe(0), { timeout: 20_000 });
  return mounted.count > 0 ? "ok: mounted" : "ok: uploaded";
}

/** Checks that no request violates the specification. */
export function expectNoMisuse({ requests }: SimulatedRegistry): void {
  const atStorage = requests.filter(({ listener }) => listener === "storage");
  expect(atStorage.filter(({ headers }) => headers.authorization !== undefined).map(nameOf)).toEqual([]);
  expect(requests.filter(({ headers }) => headers.range?.includes(",")).map(nameOf)).toEqual([]);
}

function isBlobRead({ method, route }: SimulatedRequest): boolean {
  return method === "GET" && (route.kind === "blob" || route.kind === "stored");
}

function isManifestWrite({ method, route }: SimulatedRequest): boolean {
  return method === "PUT" && route.kind === "manifest";
}

function isBytesOf(request: SimulatedRequest, digest: string): boolean {
  return isBlobRead(request) && "digest" in request.route && request.route.digest === digest;
}

function nameOf({ method, url }: SimulatedRequest): string {
  return `${method} ${url.pathname}`;
}
