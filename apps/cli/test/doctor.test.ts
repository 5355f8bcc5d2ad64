import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needs, startDockerRegistry } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runMote } from "./run-mote.js";

let dir: string;
let cache: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-doctor-"));
  cache = join(dir, "cache");
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

interface Finding {
  readonly topic: string;
  readonly state: string;
  readonly says: string;
  readonly advice?: string;
}

async function examine(...args: string[]): Promise<{ status: number | null; findings: Record<string, Finding> }> {
  const env = { DOCKER_CONFIG: join(dir, "docker") };
  const ended = await runMote(["doctor", "--json", "--cache", cache, ...args], { env });
  const { ok, findings } = JSON.parse(ended.stdout);
  expect(ok).toBe(ended.status === 0);
  return { status: ended.status, findings: Object.fromEntries(findings.map((one: Finding) => [one.topic, one])) };
}

describe("mote doctor", () => {
  it("reports a new machine as ok, and creates nothing", async () => {
    const { status, findings } = await examine();
    expect(status).toBe(0);
    expect(Object.values(findings).filter(({ state }) => state === "fail")).toEqual([]);
    for (const topic of [
      "node",
      "folder",
      "free space",
      "file system",
      "links",
      "blob info",
      "images",
      "credentials",
    ]) {
      expect([topic, findings[topic]?.state]).not.toEqual([topic, undefined]);
    }
    expect(await readdir(dir)).toEqual([]);
  });

  it("reports damage, an invalid database, and a directory that all users can write to", async () => {
    const file = join(dir, "file.txt");
    await writeFile(file, "some text");
    const digest = (await runMote(["add", file, "--cache", cache])).stdout.slice(7, 71);
    const blob = join(cache, "blobs", "sha256", digest);
    await chmod(blob, 0o644);
    await writeFile(blob, "another text");
    await runMote(["verify", "--cache", cache]);
    await mkdir(join(cache, ".mote", "blob-info.lmdb"));
    await chmod(cache, 0o777);
    const { status, findings } = await examine();
    expect(status).toBe(1);
    expect(findings.damaged?.state).toBe("warn");
    expect(findings["blob info"]?.state).toBe("fail");
    expect(findings.modes).toMatchObject({ state: "fail", advice: `chmod o-w ${cache}` });
  });

  it("prints ok, warn or fail on each line, and a summary", async () => {
    const ended = await runMote(["doctor", "--cache", "/proc/mote"]);
    expect(ended.status).toBe(1);
    const lines = ended.stdout.trimEnd().split("\n");
    for (const line of lines.slice(0, -2)) expect(line).toMatch(/^(?:ok {2}|warn|fail) {2}\w/);
    expect(lines.at(-1)).toMatch(/^\d failed/);
  });

  const wanted = needs("docker-registry", "htpasswd");
  it.skipIf(wanted !== "")(`checks registries with the stored credentials, and never shows them${wanted}`, async () => {
    await using registry = await startDockerRegistry({ login: { username: "me", password: "right-horse" } });
    const { host } = registry;
    expect((await examine(host)).findings[host]).toMatchObject({
      state: "fail",
      advice: `run \`mote login ${host}\``,
    });
    const keep = async (password: string) => {
      const auth = Buffer.from(`me:${password}`).toString("base64");
      await mkdir(join(dir, "docker"), { recursive: true });
      await writeFile(join(dir, "docker", "config.json"), JSON.stringify({ auths: { [host]: { auth } } }), {
        mode: 0o644,
      });
      return auth;
    };
    await keep("wrong-horse");
    expect((await examine(host)).findings[host]?.advice).toContain("out of date");
    const auth = await keep("right-horse");
    const { status, findings } = await examine(host);
    expect(status).toBe(0);
    expect(findings[host]?.says).toContain("accepts the stored credentials");
    expect(findings.credentials).toMatchObject({ state: "warn" });
    for (const hidden of ["right-horse", auth]) expect(JSON.stringify(findings)).not.toContain(hidden);
    expect((await examine("127.0.0.1:1")).findings["127.0.0.1:1"]?.state).toBe("fail");
  });
});
