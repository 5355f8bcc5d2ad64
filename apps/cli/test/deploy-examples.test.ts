import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { needs } from "@mote/testbed";
import { hashSync } from "bcryptjs";
import { afterAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { startServe } from "./start-serve.js";

const examples = fileURLToPath(new URL("../../../examples/deploy", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "mote-deploy-"));
writeFileSync(join(root, "htpasswd"), `ann:${hashSync("secret", 4)}\n`);
afterAll(() => rmSync(root, { recursive: true }));

function read(file: string): string {
  return readFileSync(join(examples, file), "utf8");
}

/** Starts the command of an example, but on a free port and with files of the test. Returns its URL. */
async function startExample(words: readonly string[]): Promise<string> {
  expect(words[0]).toBe("serve");
  const options = words.slice(1).flatMap((word) => word.split(/=(.*)/s).slice(0, 2));
  const args = options.flatMap((word, at) => {
    if (["--cache", "--port"].includes(word) || ["--cache", "--port"].includes(options[at - 1] ?? "")) return [];
    return options[at - 1] === "--htpasswd" ? [join(root, "htpasswd")] : [word];
  });
  const { port } = await startServe(join(root, "cache"), args);
  return `http://127.0.0.1:${port}`;
}

async function statusOf(url: string): Promise<number> {
  return (await fetch(url)).status;
}

describe("the systemd unit", () => {
  const unit = join(examples, "systemd/mote.service");
  const analyze = needs("systemd-analyze");

  it("starts a mirror that everyone can pull from", async () => {
    const [, command = ""] = /^ExecStart=\/usr\/bin\/env mote (.*)$/m.exec(read("systemd/mote.service")) ?? [];
    const url = await startExample(command.split(" "));
    expect(await statusOf(`${url}/v2/`)).toBe(200);
    expect(await statusOf(`${url}/readyz`)).toBe(200);
    expect(await statusOf(`${url}/metrics`)).toBe(403);
  });

  it.skipIf(analyze !== "")(`is valid for systemd, which finds it well protected${analyze}`, () => {
    const copy = join(root, "mote.service");
    cpSync(unit, copy);
    const verified = spawnSync("systemd-analyze", ["verify", copy], { encoding: "utf8" });
    expect([verified.status, verified.stderr]).toEqual([0, ""]);
    const security = execFileSync("systemd-analyze", ["security", "--offline=true", "--threshold=20", copy]);
    expect(String(security)).toMatch(/exposure level for mote\.service: [01]\.\d OK/);
  });
});

describe("the DaemonSet", () => {
  const documents = parseAllDocuments(read("kubernetes/mote.yaml")).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  });
  const daemonSet = documents.find(({ kind }) => kind === "DaemonSet").spec.template.spec;
  const [container] = daemonSet.containers;

  it("starts a mirror whose probes succeed", async () => {
    const url = await startExample(container.args);
    for (const probe of [container.livenessProbe, container.readinessProbe])
      expect(await statusOf(`${url}${probe.httpGet.path}`)).toBe(200);
  });

  it("points containerd and its probes at the port of the mirror, and mounts what it refers to", () => {
    const port = container.args.find((word: string) => word.startsWith("--port=")).slice("--port=".length);
    const config = documents.find(({ kind }) => kind === "ConfigMap");
    expect(config.data["hosts.toml"]).toContain(`[host."http://127.0.0.1:${port}"]`);
    expect(container.readinessProbe.httpGet).toMatchObject({ host: "127.0.0.1", port: Number(port) });
    const volumes = daemonSet.volumes.map(({ name }: { name: string }) => name);
    for (const { volumeMounts } of [...daemonSet.initContainers, ...daemonSet.containers])
      for (const { name } of volumeMounts) expect(volumes).toContain(name);
    expect(daemonSet.terminationGracePeriodSeconds).toBeGreaterThan(30);
  });
});

describe("the Compose file", () => {
  const { services, volumes, secrets } = parse(read("compose/compose.yaml"));
  const { mote } = services;

  it("starts a mirror that everyone can pull from, and whose status needs a login", async () => {
    const url = await startExample(mote.command);
    expect(await statusOf(`${url}/v2/`)).toBe(200);
    expect(await statusOf(`${url}/metrics`)).toBe(401);
    const [, ...check] = mote.healthcheck.test;
    const words = check.map((word: string) => word.replace("http://127.0.0.1:5000", url));
    expect(spawnSync(process.execPath, words.slice(1)).status).toBe(0);
    const stopped = check.map((word: string) => word.replace("http://127.0.0.1:5000", "http://127.0.0.1:1"));
    expect(spawnSync(process.execPath, stopped.slice(1)).status).toBe(1);
  });

  it("declares what it refers to", () => {
    expect(Object.keys(volumes)).toEqual(mote.volumes.map((volume: string) => volume.split(":")[0]));
    expect(Object.keys(secrets)).toEqual(mote.secrets);
    expect(mote.ports).toContain("5000:5000");
  });
});
