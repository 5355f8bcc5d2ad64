import childProcess from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { type Logger, silentLogger } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { codeOf, shownBy } from "../../test/outcome.js";
import { dockerCredentials } from "./docker-credentials.js";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const ann = { kind: "password", username: "ann", password: "s3:cret" };

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mote-credentials-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(path: string, content: unknown): Promise<string> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

async function from(content: unknown, env: Record<string, string> = {}, logger?: Logger) {
  return dockerCredentials({ paths: [await write("config.json", content)], env: { HOME: folder, ...env }, logger });
}

function logTo(warnings: string[]): Logger {
  return { ...silentLogger, warn: (message) => warnings.push(message) };
}

/** A credential helper of the given shell script, on the PATH that is returned. */
async function helper(name: string, script: string): Promise<string> {
  const file = await write(`bin/docker-credential-${name}`, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return `${dirname(file)}${delimiter}${process.env.PATH}`;
}

describe("credential helpers", () => {
  const answer = (username: string, secret: string) =>
    `read server; printf '{"ServerURL":"%s","Username":"${username}","Secret":"${secret}"}' "$server"`;

  it("are used before auths for a registry in credHelpers", async () => {
    const PATH = await helper("test", answer("ann", "s3:cret"));
    const auths = { "r.example": { auth: base64("other:p") } };
    const source = await from({ auths, credHelpers: { "r.example": "test" } }, { PATH });
    expect(await source.get("r.example")).toEqual(ann);
  });

  it("are used for all other registries as credsStore, with the old name of docker.io", async () => {
    const PATH = await helper("store", `read server; printf '{"Username":"%s","Secret":"p"}' "$server"`);
    const source = await from({ credsStore: "store" }, { PATH });
    expect(await source.get("r.example:5000")).toMatchObject({ username: "r.example:5000" });
    expect(await source.get("docker.io")).toMatchObject({ username: "https://index.docker.io/v1/" });
  });

  it("return a refresh token with the user name <token>", async () => {
    const PATH = await helper("test", answer("<token>", "idt"));
    const source = await from({ credsStore: "test" }, { PATH });
    expect(await source.get("r.example")).toEqual({ kind: "identity-token", token: "idt" });
  });

  it("are requested for each name of docker.io", async () => {
    for (const known of ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]) {
      const script = `read server; [ "$server" = ${known} ] || { echo "credentials not found in native keychain"; exit 1; }`;
      const PATH = await helper("hub", `${script}; printf '{"Username":"ann","Secret":"s3:cret"}'`);
      expect([known, await (await from({ credsStore: "hub" }, { PATH })).get("docker.io")]).toEqual([known, ann]);
      const credHelpers = { [known]: "hub" };
      expect([known, await (await from({ credHelpers }, { PATH })).get("docker.io")]).toEqual([known, ann]);
    }
  });

  it.each([
    "echo 'credentials not found in native keychain'",
    "echo 'credentials not found in native keychain' >&2",
    "echo 'no credentials server URL'",
    "echo 'The specified item could not be found in the keychain.' >&2",
    "echo 'Element not found.'",
    "echo 'error getting credentials - err: exit status 1, out: `no matching entry`'",
  ])("report missing credentials: %s", async (line) => {
    const warnings: string[] = [];
    const PATH = await helper("test", `cat > /dev/null; ${line}; exit 1`);
    const source = await from({ credsStore: "test" }, { PATH }, logTo(warnings));
    expect(await source.get("r.example")).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it.each([
    ["unknown words", "echo 'Das angegebene Element s3cret' >&2; exit 1"],
    ["no words", "exit 1"],
    ["another exit code", "echo s3cret; exit 3"],
    ["a missing program of its own", "echo 'docker-credential-x: gcloud: command not found' >&2; exit 1"],
    ["a signal", "kill -9 $$"],
    ["no answer", "exit 0"],
    ["an empty object", "echo '{}'"],
    ["null", "echo null"],
    ["a list", "echo '[]'"],
    ["a secret that is a list", `echo '{"Username":"ann","Secret":[]}'`],
    ["an empty secret", `echo '{"Username":"ann","Secret":""}'`],
    ["no user", `echo '{"Username":"","Secret":"s3cret"}'`],
    ["only a secret", `echo '{"Secret":"s3cret"}'`],
  ])("that fail with %s are reported once, and auths are used", async (_, script) => {
    const warnings: string[] = [];
    const PATH = await helper("test", `cat > /dev/null; ${script}`);
    for (const config of [{ credsStore: "test" }, { credHelpers: { "r.example": "test" } }]) {
      warnings.length = 0;
      const source = await from(config, { PATH }, logTo(warnings));
      expect(await source.get("r.example")).toBeUndefined();
      expect(await source.get("r.example")).toBeUndefined();
      expect(warnings).toEqual([expect.stringMatching(/^docker-credential-test .*config\.json$/)]);
      expect(warnings.join()).not.toContain("s3cret");
      const auths = { "r.example": { auth: base64("ann:s3:cret") } };
      expect(await (await from({ ...config, auths }, { PATH })).get("r.example")).toEqual(ann);
    }
  });

  it("that are missing are reported, and auths and other files are used", async () => {
    const warnings: string[] = [];
    const auths = { "r.example": { auth: base64("ann:s3:cret") } };
    const other = await write("other.json", { auths });
    for (const config of [{ credsStore: "desktop.exe" }, { credHelpers: { "r.example": "desktop.exe" } }]) {
      warnings.length = 0;
      const paths = [await write("config.json", config)];
      const env = { PATH: folder };
      const logger = logTo(warnings);
      expect(await dockerCredentials({ paths, env, logger }).get("r.example")).toBeUndefined();
      expect(warnings).toEqual([expect.stringContaining("docker-credential-desktop.exe")]);
      expect(await dockerCredentials({ paths: [...paths, other], env }).get("r.example")).toEqual(ann);
      await write("config.json", { ...config, auths });
      expect(await dockerCredentials({ paths, env }).get("r.example")).toEqual(ann);
    }
  });

  it("that cannot be executed on this system are reported as missing", async () => {
    const file = await write("bin/docker-credential-alien", Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0]).toString());
    await chmod(file, 0o755);
    const warnings: string[] = [];
    const source = await from({ credsStore: "alien" }, { PATH: dirname(file) }, logTo(warnings));
    expect(await source.get("r.example")).toBeUndefined();
    expect(warnings).toHaveLength(1);
  });

  it("with an invalid output or name are an error without secrets", async () => {
    const PATH = await helper("nonsense", "echo s3cret");
    for (const credsStore of ["nonsense", "../../bin/sh"]) {
      const source = await from({ credsStore }, { PATH });
      expect([credsStore, await codeOf(source.get("r.example"))]).toEqual([credsStore, "MOTE_CONFIG"]);
      expect(await shownBy(source.get("r.example"))).not.toContain("s3cret");
    }
  });

  it("that never respond are killed", async () => {
    const PATH = await helper("hanging", "exec sleep 1000");
    const paths = [await write("config.json", { credsStore: "hanging" })];
    const source = dockerCredentials({ paths, env: { PATH }, helperTimeoutMs: 50 });
    expect(await codeOf(source.get("r.example"))).toBe("MOTE_CONFIG");
  });

  it("with endless output are killed", async () => {
    const PATH = await helper("endless", "exec yes");
    const source = await from({ credsStore: "endless" }, { PATH });
    expect(await shownBy(source.get("r.example"))).toContain("printed more than 256 KiB");
  });

  it("complete when they exit, even if a child process keeps their output open", async () => {
    const PATH = await helper("daemon", `sleep 20 & ${answer("ann", "s3:cret")}`);
    const source = await from({ credsStore: "daemon" }, { PATH });
    expect(await source.get("r.example")).toEqual(ann);
  });

  it.each(["EMFILE", "ENFILE", "EAGAIN", "ENOMEM"])("that cannot be started report the error code %s", async (code) => {
    const source = await from({ credsStore: "test" });
    const spawn = vi.spyOn(childProcess, "spawn").mockImplementation(() => {
      // As Node does it: a child without pipes has no streams, and the error follows.
      const child = new childProcess.ChildProcess();
      const failed = Object.assign(new Error(`spawn ${code}`), { code });
      if (code === "ENOMEM") throw failed;
      process.nextTick(() => child.emit("error", failed));
      return child;
    });
    try {
      expect(await source.get("r.example").catch((error: unknown) => error)).toMatchObject({
        code: "MOTE_IO",
        message: expect.stringContaining(code),
      });
    } finally {
      spawn.mockRestore();
    }
  });
});
