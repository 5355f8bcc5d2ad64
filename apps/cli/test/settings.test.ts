import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UsageError } from "../src/input/usage-error.js";
import { keyNames, keySpec } from "../src/settings/keys.js";
import { loadSettings } from "../src/settings/load-settings.js";
import { runMote } from "./run-mote.js";

describe("settings", () => {
  let home: string;
  let project: string;
  const env = (more: NodeJS.ProcessEnv = {}) => ({ HOME: home, ...more });
  const userFile = () => join(home, ".config", "mote", "config.json");
  const projectFile = () => join(project, ".mote.json");

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "mote-settings-"));
    project = join(home, "project");
    await mkdir(join(project, "deep", "down"), { recursive: true });
    await mkdir(join(home, ".config", "mote"), { recursive: true });
  });

  afterEach(() => rm(home, { recursive: true, force: true }));

  const load = (flags: Record<string, unknown> = {}, more: NodeJS.ProcessEnv = {}) =>
    loadSettings({ env: env(more), cwd: join(project, "deep", "down"), flags });

  async function errorOf(loading: Promise<unknown>): Promise<unknown> {
    return loading.then(
      () => "none",
      (error: unknown) => error,
    );
  }

  it("come from flags, the environment, the project's file and the user's file, in this order, with their origin", async () => {
    await writeFile(userFile(), '{ "concurrency": 1, "retries": 1, "idleTimeout": "1s", "maxSize": "3GB" }');
    await writeFile(
      projectFile(),
      '{\n  // for the build\n  "concurrency": 2,\n  "retries": 2, "idleTimeout": "2s",\n}',
    );
    const { settings, origins } = await load({ concurrency: "4" }, { MOTE_CONCURRENCY: "3", MOTE_RETRIES: "3" });
    expect(settings).toMatchObject({ concurrency: 4, retries: 3, idleTimeout: 2000, maxSize: 3e9 });
    expect(origins).toMatchObject({
      concurrency: { layer: "flag", where: "--concurrency" },
      retries: { layer: "environment", where: "MOTE_RETRIES" },
      idleTimeout: { layer: "project", where: `${projectFile()}:4` },
      maxSize: { layer: "user", where: `${userFile()}:1` },
      color: { layer: "default" },
    });
  });

  it("accept the example of each key in a file", async () => {
    await writeFile(userFile(), JSON.stringify(Object.fromEntries(keyNames.map((key) => [key, keySpec(key).example]))));
    const { origins } = await load();
    for (const key of keyNames) expect([key, origins[key].layer]).toEqual([key, "user"]);
  });

  it("resolve paths relative to where they are written", async () => {
    await writeFile(userFile(), '{ "ca": "acme.pem", "cert": "~/client.pem", "key": "/etc/client.key" }');
    const { settings } = await load({ cache: "here" });
    expect(settings).toMatchObject({
      cache: join(project, "deep", "down", "here"),
      ca: join(home, ".config", "mote", "acme.pem"),
      cert: join(home, "client.pem"),
      key: "/etc/client.key",
    });
  });

  it("read a rate for all registries or for some of them, and no rate of nothing", async () => {
    const rate = async (flag: string | string[]) => (await load({ "max-rate": flag })).settings.maxRate;
    expect(await rate("10MB")).toBe(10_000_000);
    expect(await rate(["docker.io=10MB", "registry.lan:5000=1KiB"])).toEqual({
      "docker.io": 10_000_000,
      "registry.lan:5000": 1024,
    });
    for (const bad of ["0", "docker.io=0", "docker.io=", "=1MB", "docker.io/x=1MB"])
      expect(await errorOf(rate(bad))).toBeInstanceOf(UsageError);
    await writeFile(userFile(), '{ "maxRate": { "docker.io": 5000 } }');
    expect((await load()).settings.maxRate).toEqual({ "docker.io": 5000 });
    await writeFile(userFile(), '{ "maxRate": { "docker.io": 0 } }');
    expect(await errorOf(load())).toMatchObject({ code: "MOTE_CONFIG" });
  });

  it("read mirrors and hosts as they are written in files, variables and flags", async () => {
    await writeFile(
      userFile(),
      '{ "mirrors": { "docker.io": "a.dev", "quay.io": ["b.dev", "c.dev"] }, "insecure": true }',
    );
    expect((await load()).settings).toMatchObject({
      mirrors: { "docker.io": ["a.dev"], "quay.io": ["b.dev", "c.dev"] },
      insecure: true,
    });
    const { settings } = await load(
      { mirror: ["docker.io=x.dev", "docker.io=y.dev"] },
      { MOTE_INSECURE: "one.lan,two.lan:5000" },
    );
    expect(settings).toMatchObject({
      mirrors: { "docker.io": ["x.dev", "y.dev"] },
      insecure: ["one.lan", "two.lan:5000"],
    });
  });

  it.each([
    [
      "an unknown key",
      '{\n  "retries": 2,\n  "concurency": 2 }',
      { line: 3, key: "concurency" },
      "did you mean concurrency?",
    ],
    ["a wrong value", '{\n\n  "maxSize": "much" }', { line: 3, key: "maxSize" }, "a size, such as"],
    [
      "a value of a wrong type",
      '{ "concurrency": "4" }',
      { line: 1, key: "concurrency" },
      "a whole number from 1 to 64",
    ],
    ["invalid JSON", '{ "retries": 2\n  "concurrency" }', { line: 2 }, "not valid JSON"],
    ["another document", "[]", { line: 1 }, "not a JSON object"],
  ])("reject %s, with file, line and key", async (_what, text, details, said) => {
    await writeFile(userFile(), text);
    const error = await errorOf(load());
    expect(error).toMatchObject({ code: "MOTE_CONFIG", details: { file: userFile(), ...details } });
    expect(String(error)).toContain(said);
  });

  it.each(["cache", "maxSize", "durability", "plainHttp", "insecure", "ca", "cert", "key", "mirrors"] as const)(
    "reject %s in a project's file",
    async (key) => {
      await writeFile(projectFile(), JSON.stringify({ [key]: keySpec(key).example }));
      expect(await errorOf(load())).toMatchObject({
        code: "MOTE_CONFIG",
        details: { file: projectFile(), line: 1, key },
      });
    },
  );

  it("report a wrong variable as configuration, and a wrong flag as usage", async () => {
    expect(await errorOf(load({}, { MOTE_RETRIES: "many" }))).toMatchObject({ details: { variable: "MOTE_RETRIES" } });
    expect(await errorOf(load({ concurrency: "0" }))).toBeInstanceOf(UsageError);
    expect(await errorOf(load({}, { MOTE_CONFIG: "nowhere.json" }))).toMatchObject({ code: "MOTE_CONFIG" });
  });

  it("are shown by `mote config`, with their origin", async () => {
    await writeFile(userFile(), '{ "maxSize": "3GB" }');
    const shown = await runMote(["config", "--json"], { env: env({ MOTE_RETRIES: "7" }) });
    const { settings, files } = JSON.parse(shown.stdout);
    expect(settings).toContainEqual({ key: "maxSize", value: 3e9, layer: "user", where: `${userFile()}:1` });
    expect(settings).toContainEqual({ key: "retries", value: 7, layer: "environment", where: "MOTE_RETRIES" });
    expect(settings).toContainEqual({ key: "color", value: null, layer: "default" });
    expect(files).toContainEqual({ layer: "user", path: userFile(), exists: true });
    expect(await runMote(["config", "retries"], { env: env({ MOTE_RETRIES: "7" }) })).toMatchObject({ stdout: "7\n" });
  });

  it("that are not valid end any command with one line and status 1", async () => {
    await writeFile(userFile(), '{ "maxSizes": "3GB" }');
    const ended = await runMote(["ls", "--json"], { env: env() });
    expect(ended).toMatchObject({ status: 1, stdout: "" });
    expect(JSON.parse(ended.stderr).error).toMatchObject({
      code: "MOTE_CONFIG",
      details: { key: "maxSizes", line: 1 },
    });
  });

  it("are used for registries: unreadable certificates are reported", async () => {
    await writeFile(userFile(), '{ "ca": "missing.pem" }');
    const ended = await runMote(["pull", "docker://127.0.0.1:1/a/b:1", "--cache", join(home, "c"), "--json"], {
      env: env(),
    });
    expect(JSON.parse(ended.stderr).error).toMatchObject({ code: "MOTE_CONFIG", details: { key: "ca" } });
  });
});

it("mote config and errors show mirrors without their passwords", async () => {
  const given = "docker.io=http://ann:s3cret@mirror.example quay.io=ann:s3cret@other.example/a";
  for (const words of [["config"], ["config", "mirrors"], ["config", "--json"], ["pull", "docker.io/library/a:1"]]) {
    const { stdout, stderr } = await runMote(words, { env: { ...process.env, MOTE_MIRRORS: given } });
    expect([words, `${stdout}${stderr}`.includes("s3cret")]).toEqual([words, false]);
    if (words[0] === "config") expect(`${stdout}`).toContain("***@mirror.example");
  }
});
