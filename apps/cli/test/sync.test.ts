import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes, writeMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { type DockerRegistry, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { documents } from "../src/json/documents.js";
import { eventLine } from "../src/json/lines.js";
import { type Ended, run, runMote } from "./run-mote.js";

const wanted = needs("docker-registry", "skopeo");

describe.skipIf(wanted !== "")(`mote sync with real registries and skopeo${wanted}`, () => {
  let dir: string;
  let near: DockerRegistry;
  let far: DockerRegistry;
  const at = (name: string) => join(dir, name);
  const mote = (cache: string, ...args: string[]) => runMote(["--cache", at(cache), ...args], { cwd: dir });
  const names = () => ["app:v1.0", "app:v1.1", "app:v1.2-rc1", "lib:v1.0"].map((name) => `${near.host}/team/${name}`);

  /** Pushes images that share a layer. */
  async function seed(): Promise<void> {
    await using origin = await openMote({ dir: at("origin") });
    const put = async (bytes: Uint8Array, mediaType: string): Promise<Descriptor> => {
      const descriptor = { digest: digestBytes(bytes), size: bytes.byteLength, mediaType };
      await writeMote(origin.cache, descriptor, bytes);
      return descriptor;
    };
    const json = (body: object) => new TextEncoder().encode(JSON.stringify(body));
    for (const [number, name] of names().entries()) {
      const created = `2026-01-0${9 - number}T00:00:00Z`;
      const layers = [await put(new Uint8Array(400_000).fill(7), mediaTypes.ociLayer)];
      layers.push(await put(new TextEncoder().encode(name.repeat(50)), mediaTypes.ociLayer));
      const rootfs = { type: "layers", diff_ids: layers.map(({ digest }) => digest) };
      const config = await put(json({ os: "linux", architecture: "amd64", created, rootfs }), mediaTypes.ociConfig);
      const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
      await origin.tags.tag(name, await put(json(manifest), mediaTypes.ociManifest));
      await origin.push(`oci:${at("origin")}:${name}`, `docker://${name}`);
    }
  }

  async function tagsOf(host: string, repository: string): Promise<string[]> {
    const answer = await fetch(`http://${host}/v2/${repository}/tags/list`);
    const { tags = [] } = (await answer.json()) as { tags?: string[] };
    return (tags ?? []).sort();
  }

  const sentTo = async (registry: DockerRegistry, since: number) =>
    (await registry.requests()).slice(since).filter((line) => /^(?:PUT|PATCH) .*\/(?:uploads|manifests)\//.test(line));

  const states = ({ stdout }: Ended) =>
    JSON.parse(stdout).images.map(({ state }: { state: string }) => state) as string[];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-sync-"));
    [near, far] = [await startDockerRegistry(), await startDockerRegistry()];
    await seed();
    await writeFile(at("images.txt"), `# images\n${names().join("\n")}\n`);
  }, 60_000);

  afterAll(async () => {
    await near?.stop();
    await far?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("copies a list, mounts shared blobs, and then sends nothing", async () => {
    const first = await mote("cache", "sync", "images.txt", `docker://${far.host}/mirror`, "--json");
    expect({ ...first, stdout: "" }).toEqual({ status: 0, stdout: "", stderr: "" });
    const report = JSON.parse(first.stdout);
    expect(report).toMatchObject({ failed: 0, blobs: 9 });
    expect(await tagsOf(far.host, "mirror/team/app")).toEqual(["v1.0", "v1.1", "v1.2-rc1"]);
    expect(await tagsOf(far.host, "mirror/team/lib")).toEqual(["v1.0"]);
    const before = (await far.requests()).length;
    const second = await mote("cache", "sync", "images.txt", `docker://${far.host}/mirror`, "--json");
    expect([second.status, states(second)]).toEqual([0, Array(4).fill("unchanged")]);
    expect(await sentTo(far, before)).toEqual([]);
  });

  it("a failed image does not stop the others, and the report says so everywhere", async () => {
    const list = `${names()[0]}\nnot a valid line\n${near.host}/team/none:1\n${names()[3]} other/lib:2\n`;
    await writeFile(at("bad.txt"), list);
    const to = `docker://${far.host}/partly`;
    const ended = await mote("cache", "sync", "bad.txt", to, "--junit", "report.xml");
    expect(ended.status).toBe(1);
    expect(ended.stdout.split("\n").map((line) => line.split(" ")[0])).toEqual([
      "copied",
      "failed",
      "failed",
      "copied",
      "4",
      "",
    ]);
    const errors = ended.stderr.split("\n").filter((line) => line.startsWith("mote: "));
    expect(errors).toEqual([expect.stringContaining("line 2"), expect.stringContaining("team/none:1")]);
    expect(await tagsOf(far.host, "partly/other/lib")).toEqual(["2"]);
    const xml = await readFile(at("report.xml"), "utf8");
    expect([xml.match(/<testcase /g)?.length, xml.match(/<failure /g)?.length]).toEqual([4, 2]);
  });

  it("plans without changing anything", async () => {
    const before = (await far.requests()).length;
    const planned = await mote("planning", "sync", "images.txt", `docker://${far.host}/plan`, "--dry-run", "--json");
    expect([planned.status, states(planned)]).toEqual([0, Array(4).fill("planned")]);
    const [bytes] = (await run("sh", ["-c", "cat origin/blobs/*/* | wc -c"], { cwd: dir })).stdout.split("\n");
    const { blobs, bytes: plannedBytes, dryRun } = JSON.parse(planned.stdout);
    expect({ blobs, dryRun }).toEqual({ blobs: 9, dryRun: true });
    expect(plannedBytes).toBeLessThan(Number(bytes));
    // What another repository is known to have is mounted.
    const known = await mote("cache", "sync", "images.txt", `docker://${far.host}/plan`, "--dry-run", "--json");
    expect(JSON.parse(known.stdout)).toMatchObject({ blobs: 0, bytes: 0, failed: 0 });
    const writes = (await sentTo(far, before)).filter((line) => line.includes("/plan/"));
    expect([writes, await tagsOf(far.host, "plan/team/app")]).toEqual([[], []]);
  });

  it("selects tags, and removes others only with --yes", async () => {
    const source = `docker://${near.host}/team/app`;
    const to = `docker://${far.host}/only`;
    const selected = await mote("cache", "sync", source, to, "--tags", "v1.*", "--tags", "!*-rc*", "--json");
    expect([selected.status, await tagsOf(far.host, "only/team/app")]).toEqual([0, ["v1.0", "v1.1"]]);
    const newest = [source, to, "--newest", "1", "--tags", "!*-rc*", "--delete"];
    expect((await mote("cache", "sync", ...newest)).status).toBe(2);
    const plan = await mote("cache", "sync", ...newest, "--dry-run", "--json");
    expect(JSON.parse(plan.stdout).removed).toEqual([{ destination: `${to}/team/app:v1.0`, state: "planned" }]);
    expect(await tagsOf(far.host, "only/team/app")).toEqual(["v1.0", "v1.1"]);
    const done = await mote("cache", "sync", ...newest, "--yes", "--json");
    expect([done.status, await tagsOf(far.host, "only/team/app")]).toEqual([0, ["v1.1"]]);
    const all = await mote("cache", "sync", `docker://${near.host}`, `docker://${far.host}/all`, "--json");
    expect([all.status, states(all)]).toEqual([0, Array(4).fill("copied")]);
    const none = await mote("cache", "sync", `docker://${near.host}/team/nothing`, to);
    expect([none.status, none.stderr]).toEqual([1, expect.stringContaining("team/nothing")]);
  });

  it("takes the newest tags, by version or by the time of their images", async () => {
    const [first = "", second = ""] = names();
    const list = `${first} newest:v1.10\n${second} newest:v1.9\n`;
    await writeFile(at("newest.txt"), list);
    expect((await mote("cache", "sync", "newest.txt", `docker://${far.host}`)).status).toBe(0);
    const newest = async (repository: string, ...args: string[]) => {
      const command = ["sync", repository, "oci:unused", "--dry-run", "--json", "--newest", ...args];
      const { stdout } = await mote("cache", ...command);
      return JSON.parse(stdout).images.map(({ source }: { source: string }) => source.replace(/.*:/, ""));
    };
    expect(await newest(`docker://${far.host}/newest`, "1")).toEqual(["v1.10"]);
    const app = `docker://${near.host}/team/app`;
    expect([await newest(app, "2"), await newest(app, "1", "--sort", "time")]).toEqual([
      ["v1.1", "v1.2-rc1"],
      ["v1.0"],
    ]);
  });

  it("prints the events of each image as JSON lines", async () => {
    const ended = await mote("events", "sync", "images.txt", "oci:events", "--json=events");
    const lines = ended.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const line of lines) expect(eventLine.safeParse(line).error?.issues).toBeUndefined();
    expect(lines[0]).toEqual({ event: { type: "images", images: 4 } });
    const started = lines.filter(({ event }) => event?.type === "plan").map(({ event }) => event.image);
    expect(started.sort()).toEqual(names().sort());
    const ends = lines.filter(({ event }) => event?.type === "image").map(({ event }) => [event.done, event.state]);
    expect(ends).toEqual([1, 2, 3, 4].map((done) => [done, "copied"]));
    expect(documents.sync?.safeParse(lines.at(-1).result).success).toBe(true);
  });

  it("keeps a manifest that a remaining tag needs", async () => {
    const [first = ""] = names();
    const to = `docker://${far.host}/keep`;
    await writeFile(at("two.txt"), `${first} app:one\n${first} app:two\n`);
    await writeFile(at("one.txt"), `${first} app:one\n`);
    expect((await mote("cache", "sync", "two.txt", to)).status).toBe(0);
    const ended = await mote("cache", "sync", "one.txt", to, "--delete", "--yes", "--json");
    const [removed] = JSON.parse(ended.stdout).removed;
    const there = await fetch(`http://${far.host}/v2/keep/app/manifests/one`, {
      headers: { accept: mediaTypes.ociManifest },
    });
    expect([ended.status, there.status]).toEqual([0, 200]);
    // A registry that deletes tags alone removes it, others cannot.
    expect(removed.state === "removed" || /one needs its manifest/.test(removed.reason)).toBe(true);
  });

  it("carries images over an air gap in a thin archive, with skopeo at the far side", async () => {
    const [first = "", second = ""] = names();
    await writeFile(at("may.txt"), `${first}\n`);
    await writeFile(at("june.txt"), `${first}\n${second}\n`);
    expect((await mote("cache", "sync", "may.txt", "oci-archive:may.tar")).status).toBe(0);
    const june = ["sync", "june.txt", "oci-archive:june.tar", "--without", "may.tar"];
    expect((await mote("cache", ...june)).status).toBe(0);
    expect((await readFile(at("june.tar"))).byteLength).toBeLessThan(100_000);
    const again = await mote("fresh", ...june.slice(0, 2), "oci-archive:again.tar", "--without", "oci-archive:may.tar");
    expect(again.status).toBe(0);
    expect((await readFile(at("again.tar"))).equals(await readFile(at("june.tar")))).toBe(true);

    const listed = await mote("far", "ls", "june.tar", "--json");
    const documented = documents.ls?.parse(JSON.parse(listed.stdout)) as {
      images: { name: string }[];
      reliesOn: object[];
    };
    expect([documented.images.map(({ name }) => name), documented.reliesOn.length]).toEqual([[first, second], 3]);
    const verified = await mote("far", "verify", "june.tar", "--json");
    expect(documents.verify?.parse(JSON.parse(verified.stdout))).toMatchObject({ images: 2, missing: [], damaged: [] });
    expect(verified.status).toBe(0);

    const to = `docker://${far.host}/lab`;
    const wrong = await mote("far", "sync", "oci-archive:june.tar", to);
    const shared = digestBytes(new Uint8Array(400_000).fill(7));
    expect([wrong.status, wrong.stderr.includes(shared)]).toEqual([1, true]);
    expect((await mote("far", "sync", "may.tar", to)).status).toBe(0);
    const right = await mote("elsewhere", "sync", "june.tar", to, "--json");
    expect([right.status, states(right)]).toEqual([0, ["unchanged", "copied"]]);
    const name = second.slice(second.indexOf("/") + 1);
    for (const copied of [`docker://${far.host}/lab/${name}`, `oci-archive:${at("may.tar")}:${first}`]) {
      const args = ["--insecure-policy", "copy", "--src-tls-verify=false", copied, `dir:${at("checked")}`];
      const ended = await run("skopeo", args, { env: { TMPDIR: dir } });
      expect([copied, ended.status, ended.stderr]).toEqual([copied, 0, ""]);
    }
  });

  it("a damaged archive, and a damaged part, are named before anything is copied", async () => {
    const written = await mote("cache", "sync", "images.txt", "oci-archive:whole.tar");
    expect(written.status).toBe(0);
    const whole = await readFile(at("whole.tar"));
    // In the middle of the shared layer, which is the largest.
    whole[whole.indexOf(Buffer.alloc(300_000, 7)) + 1000] = 1;
    await writeFile(at("whole.tar"), whole);
    const verified = await mote("cache", "verify", "whole.tar");
    const shared = digestBytes(new Uint8Array(400_000).fill(7));
    expect([verified.status, verified.stdout.includes(`damaged ${shared}`)]).toEqual([1, true]);
    await writeFile(at("cut.tar"), whole.subarray(0, 200_000));
    const cut = await mote("cache", "sync", "cut.tar", `docker://${far.host}/cut`);
    expect([cut.status, cut.stderr]).toEqual([1, expect.stringContaining("cut.tar")]);

    const parts = await mote("cache", "sync", "images.txt", "oci-archive:parts.tar", "--split", "1MiB");
    expect(parts.status).toBe(0);
    expect((await mote("far", "verify", "parts.tar.001")).status).toBe(0);
    await writeFile(at("parts.tar.001"), (await readFile(at("parts.tar.001"))).fill(1, 5000, 5001));
    const damaged = await mote("far", "sync", "oci-archive:parts.tar.parts.json", `docker://${far.host}/parts`);
    expect([damaged.status, damaged.stderr]).toEqual([1, expect.stringContaining("parts.tar.001 is damaged")]);
    expect(await tagsOf(far.host, "parts/team/app")).toEqual([]);
  });

  it("reads an archive from stdin and writes one to stdout", async () => {
    const script =
      '"$1" "$2" --cache "$3" sync images.txt oci-archive:- | "$1" "$2" --cache "$4" sync oci-archive:- oci:piped';
    const main = new URL("../dist/main.js", import.meta.url).pathname;
    const args = ["-c", script, "sh", process.execPath, main, at("cache"), at("piped-cache")];
    const ended = await run("sh", args, { cwd: dir });
    expect(ended.status).toBe(0);
    const index = JSON.parse(await readFile(at("piped/index.json"), "utf8"));
    const found = index.manifests.map(
      ({ annotations }: { annotations: Record<string, string> }) => Object.values(annotations)[0],
    );
    expect(found.sort()).toEqual(names().sort());
  });

  it("an archive from stdin is listed and verified, and what is cut is not taken for a name in the cache", async () => {
    await mote("cache", "sync", "images.txt", "oci-archive:sent.tar");
    await writeFile(at("docker.tar"), "");
    for (const command of ["ls", "verify"]) {
      const script = '"$1" "$2" --cache "$3" "$4" oci-archive:- --json < sent.tar';
      const main = new URL("../dist/main.js", import.meta.url).pathname;
      const args = ["-c", script, "sh", process.execPath, main, at("cache"), command];
      const ended = await run("sh", args, { cwd: dir });
      expect([command, ended.status, ended.stderr]).toEqual([command, 0, ""]);
      expect(JSON.parse(ended.stdout)).toMatchObject({ archive: "oci-archive:-" });
      const docker = await mote("cache", command, "docker-archive:docker.tar");
      expect(docker).toMatchObject({
        status: 2,
        stderr: expect.stringContaining("mote tags docker-archive:docker.tar"),
      });
      for (const bytes of [0, 100]) {
        await writeFile(at("cut.tar"), (await readFile(at("sent.tar"))).subarray(0, bytes));
        const cut = await mote("cache", command, "cut.tar");
        expect([cut.status, cut.stdout]).toEqual([1, ""]);
        expect(cut.stderr).toMatch(/cut\.tar: it is empty|cut\.tar is not an OCI image layout/);
      }
    }
  });
});
