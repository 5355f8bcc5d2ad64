import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { digestBytes, mediaTypes, writeMote } from "@mote/core";
import { type OpenMote, openMote, type RegistryServer, type ServedRequest, type ServeOptions } from "@mote/preset";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { FakeS3 } from "../../../packages/s3/test/fake-s3.js";
import { mainFile, run } from "./run-mote.js";

const examples = fileURLToPath(new URL("../../../examples/ci", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "mote-ci-"));
const read = (file: string) => parse(readFileSync(join(examples, file), "utf8"));
let bucket: FakeS3;
/** A registry that only ann can use, with the artifact `team/model:1`. */
let served: OpenMote;
let server: RegistryServer;
const requests: ServedRequest[] = [];

beforeAll(async () => {
  bucket = await FakeS3.start();
  served = await openMote({ dir: join(root, "served") });
  const put = async (bytes: Uint8Array, mediaType: string) => {
    const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
    await writeMote(served.cache, descriptor, bytes);
    return descriptor;
  };
  const json = (body: object) => new TextEncoder().encode(JSON.stringify(body));
  const config = await put(json({}), mediaTypes.ociEmpty);
  const layers = [await put(randomBytes(1000), "application/octet-stream")];
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  await served.tags.tag("team/model:1", await put(json(manifest), mediaTypes.ociManifest));
  const login = `Basic ${Buffer.from("ann:secret").toString("base64")}`;
  const access: NonNullable<ServeOptions["access"]> = {
    decide: async ({ authorization }) =>
      authorization === login ? { kind: "allowed" } : { kind: "unauthenticated", challenge: 'Basic realm="ci"' },
  };
  server = await served.serve({ push: true, access, graceMs: 0, onRequest: (request) => requests.push(request) });
  mkdirSync(join(root, "bin"));
  const programs = { mote: `exec '${process.execPath}' '${mainFile}' "$@"`, npm: `echo "$@" >> '${root}/npm'` };
  for (const [name, command] of Object.entries(programs))
    writeFileSync(join(root, "bin", name), `#!/bin/sh\n${command}\n`, { mode: 0o755 });
});
afterAll(async () => {
  await server?.close();
  await served?.close();
  await bucket?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

type Variables = Readonly<Record<string, string>>;

/** A machine with nothing on its disk but the programs and the sources of the job. */
class Runner {
  readonly dir = mkdtempSync(join(root, "runner-"));
  readonly #env: Variables = {
    PATH: `${join(root, "bin")}${delimiter}${process.env.PATH ?? ""}`,
    HOME: this.dir,
    AWS_ACCESS_KEY_ID: "key",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_REGION: "us-east-1",
    AWS_ENDPOINT_URL_S3: bucket.endpoint,
  };

  constructor(images: string) {
    mkdirSync(join(this.dir, "ci"));
    writeFileSync(join(this.dir, "ci/images.txt"), images);
  }

  /** Runs commands as CI systems do. Returns what they print. */
  async run(commands: string, env: Variables = {}): Promise<string> {
    const args = ["--noprofile", "--norc", "-eo", "pipefail", "-c", commands];
    const ended = await run("bash", args, { cwd: this.dir, onlyEnv: true, env: { ...this.#env, ...env } });
    expect([commands, ended.status], ended.stderr).toEqual([commands, 0]);
    return ended.stdout;
  }
}

/** The options of a job, by what they are. */
interface Job {
  readonly registry: string;
  readonly files: string;
  readonly paths: string;
  readonly commands: string;
  readonly exportTo: string;
  readonly tier: string;
}

/** Replaces `${{ inputs.NAME }}`. */
function withInputs(text: string, inputs: Variables): string {
  return text.replace(/\$\{\{ inputs\.([\w-]+) \}\}/g, (_, name: string) => inputs[name] ?? "");
}

async function runAction(runner: Runner, job: Job): Promise<void> {
  const action = read("github/action.yml");
  const defaults = Object.entries<{ default?: string }>(action.inputs).map(([name, input]) => [
    name,
    input.default ?? "",
  ]);
  const { files, paths, commands, exportTo, tier } = job;
  const given = { images: "ci/images.txt", files, paths, run: commands, "export-to": exportTo, tier };
  const inputs: Variables = { ...Object.fromEntries(defaults), ...given };
  // As docker/login-action does.
  mkdirSync(join(runner.dir, ".docker"));
  const auths = { [job.registry]: { auth: Buffer.from("ann:secret").toString("base64") } };
  writeFileSync(join(runner.dir, ".docker/config.json"), JSON.stringify({ auths }));
  const file = join(runner.dir, "variables");
  writeFileSync(file, "");
  for (const step of action.runs.steps) {
    const [, input = ""] = /^inputs\.([\w-]+) != ''$/.exec(step.if ?? "") ?? [];
    if (step.if !== undefined && inputs[input] === "") continue;
    const set = readFileSync(file, "utf8").split("\n").filter(Boolean);
    const variables = Object.fromEntries(set.map((line) => line.split(/=(.*)/s).slice(0, 2)));
    const env = Object.entries<string>(step.env ?? {}).map(([name, text]) => [name, withInputs(text, inputs)]);
    const own = { GITHUB_ENV: file, RUNNER_TEMP: join(runner.dir, "temp") };
    await runner.run(step.run, { ...own, ...variables, ...Object.fromEntries(env) });
  }
}

async function runTemplate(runner: Runner, job: Job): Promise<void> {
  const { ".mote": template } = read("gitlab/mote.gitlab-ci.yml");
  const ofServer: Variables = {
    CI_PROJECT_DIR: runner.dir,
    CI_REGISTRY: job.registry,
    CI_REGISTRY_USER: "ann",
    CI_REGISTRY_PASSWORD: "secret",
    CI_JOB_STATUS: "success",
  };
  const { files: FILES, paths: PATHS, exportTo: EXPORT_TO, tier: MOTE_TIER } = job;
  const given: Variables = { ...ofServer, ...template.variables, FILES, PATHS, EXPORT_TO, MOTE_TIER };
  const expanded = Object.entries(given).map(([name, text]) => [
    name,
    text.replace(/\$(CI_\w+)/g, (_, variable: string) => ofServer[variable] ?? ""),
  ]);
  const variables: Variables = Object.fromEntries(expanded);
  // The second is a shell of its own.
  await runner.run([...template.before_script, job.commands].join("\n"), variables);
  await runner.run(template.after_script.join("\n"), variables);
}

const isBlob = (method: string) => (request: ServedRequest) =>
  request.method === method && /\/blobs\//.test(request.path) && request.status < 300;

/** The job of a project whose repositories and part of the bucket nothing else uses. */
function jobOf(project: string) {
  const registry = `${server.host}:${server.port}`;
  const files = `${registry}/${project}/files:main`;
  return {
    registry,
    files,
    paths: "kept/*",
    exportTo: `docker://${registry}/${project}`,
    tier: `s3://bucket/${project}`,
  };
}

/** Runs a job that finds nothing but its image, and leaves files and an image in the registry. */
async function runFirst(start: typeof runAction, project: string): Promise<void> {
  const job = jobOf(project);
  const build = `mote copy oci:images:${job.registry}/team/model:1 oci:built:team/built:1`;
  const commands = `test ! -e kept; mkdir -p kept/b; echo 1 > kept/a; echo 1 > kept/b/c; ${build}`;
  await start(new Runner(`${job.registry}/team/model:1\n`), { ...job, commands });
  expect(await served.tags.resolve(`${project}/team/built:1`)).toEqual(await served.tags.resolve("team/model:1"));
  expect(await served.tags.resolve(`${project}/files:main`)).toBeDefined();
  expect(readFileSync(join(root, "npm"), "utf8")).toMatch(/^(?:i -g @mote\/cli\n)+$/);
}

describe("the GitLab template", () => {
  it("restores what a job needs, runs it, and exports files and images", async () => {
    await runFirst(runTemplate, "gitlab");
  });
});

describe("the GitHub action", () => {
  const { inputs, runs } = read("github/action.yml");

  it("restores, runs and exports; another runner fetches no blob from the registry, and sends only what is new", async () => {
    await runFirst(runAction, "github");
    requests.length = 0;
    const job = jobOf("github");
    const commands = `test "$(cat kept/a kept/b/c)" = $'1\\n1'; echo 2 > kept/b/c`;
    await runAction(new Runner(`${job.registry}/team/model:1\n`), { ...job, commands, exportTo: "" });
    expect([requests.filter(isBlob("GET")).length, requests.filter(isBlob("PUT")).length]).toEqual([0, 1]);
  });

  it("declares the inputs that it uses, and no others", () => {
    const used = JSON.stringify(runs).match(/(?<=inputs\.)[\w-]+/g);
    expect([...new Set(used)].sort()).toEqual(Object.keys(inputs).sort());
    for (const { description, required = false, default: value } of Object.values<Record<string, unknown>>(inputs))
      expect([typeof description, required || value !== undefined]).toEqual(["string", true]);
  });

  it("passes inputs to commands as variables only, so that no text of them is run but that of `run`", () => {
    for (const { name, shell, run: commands } of runs.steps)
      expect([name, shell, commands.includes("${{")]).toEqual([expect.any(String), "bash", false]);
  });
});
