import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes } from "@mote/core";
import { needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { documents } from "../src/json/documents.js";
import { eventLine, failureDocument } from "../src/json/lines.js";
import { table } from "../src/table.js";
import { mainFile, runMote } from "./run-mote.js";

/** Writes a layout of an image with one layer, and returns its reference. */
async function writeLayout(dir: string, config: object, layer: Uint8Array): Promise<string> {
  await mkdir(join(dir, "blobs/sha256"), { recursive: true });
  const put = async (bytes: Uint8Array, mediaType: string) => {
    const digest = digestBytes(bytes);
    await writeFile(join(dir, "blobs/sha256", digest.slice(7)), bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const json = (body: object) => new TextEncoder().encode(JSON.stringify(body));
  const manifest = {
    schemaVersion: 2,
    config: await put(json(config), "application/vnd.oci.image.config.v1+json"),
    layers: [await put(layer, "application/vnd.oci.image.layer.v1.tar")],
  };
  const manifests = [await put(json(manifest), "application/vnd.oci.image.manifest.v1+json")];
  await writeFile(join(dir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  await writeFile(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  return `oci:${dir}`;
}

describe("the output under --json", () => {
  let dir: string;
  const at = (name: string) => join(dir, name);
  const env = () => ({ MOTE_CACHE_DIR: at("cache"), HOME: dir, DOCKER_CONFIG: at("docker") });
  const seen = new Set<string>();

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-json-"));
    await mkdir(at("data"));
    await writeFile(at("data/rows.csv"), "a,b\n1,2\n");
    await writeFile(at("model.bin"), new Uint8Array(3_000_000).fill(7));
  });

  afterAll(() => rm(dir, { recursive: true, force: true }));

  /** Writes a layout with a version of an image, and returns its reference. */
  const version = (text: string): Promise<string> => {
    const layer = new TextEncoder().encode(text.repeat(2000));
    const config = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digestBytes(layer)] } };
    return writeLayout(at(`version-${text}`), config, layer);
  };

  /** Runs a command, checks its document against the schema, and returns it. */
  async function documentOf(name: string, ...args: string[]): Promise<unknown> {
    const ended = await runMote([...name.split(" "), "--json", ...args], { env: env() });
    expect({ name, status: ended.status, stderr: ended.stderr }).toEqual({ name, status: 0, stderr: "" });
    return validated(name, ended.stdout);
  }

  function validated(name: string, text: string): unknown {
    const schema = documents[name];
    if (schema === undefined) throw new Error(`mote ${name} has no schema`);
    seen.add(name);
    const parsed = schema.safeParse(JSON.parse(text));
    expect([name, parsed.error?.issues]).toEqual([name, undefined]);
    return parsed.data;
  }

  it("is one document that matches its schema, for each command", async () => {
    const layout = `oci:${at("layout")}:first`;
    await documentOf("push", at("model.bin"), `${at("data/rows.csv")}:text/csv`, `${at("data")}/`, layout);
    await documentOf("pull", layout, `oci-archive:${at("a.tar")}:1`);
    await documentOf("push", layout, `oci:${at("other")}:1`, "--with-referrers");
    await documentOf("copy", layout, `dir:${at("as-dir")}`);
    await documentOf("sync", `oci:${at("layout")}`, `oci-archive:${at("many.tar")}`);
    await documentOf("delta", await version("1"), await version("2"), `oci:${at("deltas")}`);
    const [added] = (await documentOf("add", at("model.bin"))) as [{ digest: string }];
    await documentOf("ls", "--all");
    await documentOf("du");
    await documentOf("inspect", layout);
    await documentOf("inspect", layout, "--digest");
    await documentOf("tags", `oci:${at("layout")}`);
    await documentOf("tags", `oci:${at("layout")}`, "--sort", "time");
    await documentOf("info", layout);
    await documentOf("info", added.digest);
    await documentOf("locate", added.digest);
    await documentOf("ref", "alpine@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1");
    await documentOf("ref", layout);
    await documentOf("pin", layout);
    await documentOf("unpin", layout);
    await documentOf("verify");
    await documentOf("doctor");
    await documentOf("config");
    await documentOf("config", "cache");
    await documentOf("logout", "registry.invalid");
    await documentOf("bic export", at("facts.jsonl"));
    await documentOf("bic merge", at("facts.jsonl"));
    await documentOf("bic stats");
    await documentOf("prune", "--max-size", "10kB", "--dry-run");
    await documentOf("rm", layout);
    await documentOf("prune", "--max-size", "0", "--yes");
  });

  it("matches its schema for the files of an image", async () => {
    const config = { os: "linux", architecture: "amd64" };
    await mkdir(at("image/etc"), { recursive: true });
    await writeFile(at("image/etc/motd"), "hello");
    const layer = execFileSync("tar", ["-c", "-C", at("image"), "etc"]);
    const image = await writeLayout(at("image-layout"), config, layer);
    await documentOf("get", image, "--list");
    await documentOf("diff", image, image);
    await documentOf("get", image, "etc", "--output", at("got"));
    await documentOf("pull", image, "--unpack", at("unpacked"));
  });

  it("matches its schema if content is damaged, with status 1", async () => {
    const [added] = (await documentOf("add", at("model.bin"))) as [{ digest: string }];
    const blob = join(at("cache"), "blobs", "sha256", added.digest.slice(7));
    await chmod(blob, 0o600);
    await appendFile(blob, "!");
    const ended = await runMote(["verify", "--repair", "--json"], { env: env() });
    expect(ended.status).toBe(1);
    expect(validated("verify", ended.stdout)).toMatchObject({ damaged: [{ digest: added.digest }], repaired: [] });
  });

  it("matches its schema for mote serve, mote serve warm and mote demo", async () => {
    await documentOf("demo", "--dir", at("demo"));
    const unreachable = "127.0.0.1:9";
    const child = spawn(process.execPath, [mainFile, "serve", "--port", "0", "--upstream", unreachable, "--json"], {
      stdio: ["ignore", "pipe", "ignore"],
      env: { PATH: process.env.PATH, ...env() },
    });
    let text = "";
    for await (const chunk of child.stdout) {
      text += chunk;
      if (text.endsWith("}\n")) break;
    }
    const { url } = validated("serve", text) as { url: string };
    await writeFile(at("images.txt"), `${unreachable}/a/b:1\n`);
    const warmed = await runMote(["serve", "warm", at("images.txt"), "--url", url, "--json"], { env: env() });
    expect(validated("serve warm", warmed.stdout)).toMatchObject({ failed: 1 });
    const ended = once(child, "exit");
    child.kill("SIGINT");
    await ended;
  });

  it("is a line for each event under --json=events, and then the result", async () => {
    const layout = `oci:${at("layout")}:first`;
    const ended = await runMote(["pull", layout, `oci:${at("events")}:1`, "--json=events"], { env: env() });
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    const lines = ended.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const line of lines) expect(eventLine.safeParse(line).error?.issues).toBeUndefined();
    expect(lines[0]).toMatchObject({ event: { type: "plan" } });
    validated("pull", JSON.stringify(lines.at(-1).result));
  });

  it("is an error that matches its schema on stderr if a command fails, and nothing on stdout", async () => {
    for (const [code, status, ...args] of [
      ["MOTE_USAGE", 2, "pull"],
      ["MOTE_USAGE", 2, "frobnicate"],
      ["MOTE_NOT_FOUND", 1, "add", at("nowhere")],
      ["MOTE_INVALID_REFERENCE", 1, "ref", "docker://:"],
    ] as const) {
      const ended = await runMote([...args, "--json"], { env: env() });
      expect(ended).toMatchObject({ status, stdout: "" });
      expect(failureDocument.parse(JSON.parse(ended.stderr)).error.code).toBe(code);
    }
  });

  const noRegistry = needs("docker-registry");
  it.skipIf(noRegistry !== "")(`matches its schema for mote login${noRegistry}`, async () => {
    await using registry = await startDockerRegistry();
    const child = spawn(
      process.execPath,
      [mainFile, "login", registry.host, "--username", "ann", "--password-stdin", "--json"],
      { stdio: ["pipe", "pipe", "ignore"], env: { PATH: process.env.PATH, ...env() } },
    );
    child.stdin.end("secret");
    let text = "";
    for await (const chunk of child.stdout) text += chunk;
    validated("login", text);
  });

  it.skipIf(noRegistry !== "")("has been checked for every command with a document", () => {
    const wanted = table.filter(({ withoutJson, hidden }) => !withoutJson && !hidden).map(({ name }) => name);
    expect([...seen].sort()).toEqual([...wanted].sort());
    expect(Object.keys(documents).sort()).toEqual([...wanted].sort());
  });
});

it("is complete for a slow reader, even if it is larger than the buffer of a pipe", async () => {
  const dir = await mkdtemp(join(tmpdir(), "mote-json-slow-"));
  await mkdir(join(dir, "blobs"));
  await writeFile(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const entry = (name: string) => ({
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: `sha256:${"0".repeat(64)}`,
    size: 2,
    annotations: { "org.opencontainers.image.ref.name": name },
  });
  const names = Array.from({ length: 4000 }, (_, n) => `${n}-${"x".repeat(100)}`);
  await writeFile(join(dir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: names.map(entry) }));
  const child = spawn(process.execPath, [mainFile, "pull", `oci:${dir}:none`, "--json"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env.PATH, HOME: dir },
  });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    // Longer than the command waits at its end.
    if (text === "") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
    text += part;
  });
  expect(await once(child, "close")).toEqual([1, null]);
  expect(JSON.parse(text).error.details.tags).toEqual(names);
  await rm(dir, { recursive: true });
});
