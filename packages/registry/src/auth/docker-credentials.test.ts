import childProcess from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { type Logger, silentLogger } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { codeOf, shownBy } from "../../test/outcome.js";
import { defaultPaths } from "./auth-paths.js";
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

describe("credentials of auths", () => {
  it("are found under a host, and under what old clients wrote for it", async () => {
    for (const key of [
      "r.example:5000",
      "https://r.example:5000",
      "http://r.example:5000/v1/",
      "https://r.example:5000/v2/",
      "r.example:5000/",
      "r.example:5000/v1/",
      "r.example:5000/v2",
      "HTTPS://R.Example:5000",
      "https://r.example:5000/any/path",
    ]) {
      const source = await from({ auths: { [key]: { auth: base64("ann:s3:cret") } } });
      expect([key, await source.get("r.example:5000", "a/b")]).toEqual([key, ann]);
      expect(await source.get("r.example", "a/b")).toBeUndefined();
      expect(await source.get("other.r.example:5000")).toBeUndefined();
    }
  });

  it("of docker.io are found under any of its names", async () => {
    for (const key of [
      "https://index.docker.io/v1/",
      "https://index.docker.io/v2/",
      "https://index.docker.io",
      "index.docker.io/v1/",
      "docker.io",
      "https://docker.io/",
      "index.docker.io",
      "registry-1.docker.io",
      "https://registry-1.docker.io/v2/",
    ]) {
      const source = await from({ auths: { [key]: { auth: base64("ann:s3:cret") } } });
      expect([key, await source.get("docker.io", "library/x")]).toEqual([key, ann]);
    }
  });

  it("are found with and without the port that is the usual one", async () => {
    const auth = { auth: base64("ann:s3:cret") };
    for (const [key, registry, isFound] of [
      ["r.example:443", "r.example", true],
      ["https://r.example", "r.example:443", true],
      ["http://r.example:80", "r.example", true],
      ["https://r.example:80", "r.example", false],
      ["r.example:5000", "r.example", false],
    ] as const) {
      const found = await (await from({ auths: { [key]: auth } })).get(registry);
      expect([key, registry, found !== undefined]).toEqual([key, registry, isFound]);
    }
  });

  it("that are empty, as Docker leaves them for what a helper stores, do not hide others of the registry", async () => {
    const auths = {
      "docker.io": {},
      "registry-1.docker.io": null,
      "https://index.docker.io/v1/": { auth: base64("ann:s3:cret") },
    };
    expect(await (await from({ auths })).get("docker.io", "library/x")).toEqual(ann);
  });

  it("written as asked win over the same registry in another spelling", async () => {
    const auths = { "https://r.example/v1/": { auth: base64("old:p") }, "r.example": { auth: base64("ann:s3:cret") } };
    expect(await (await from({ auths })).get("r.example")).toEqual(ann);
  });

  it("for the longest part of a repository's path win", async () => {
    const auth = (name: string) => ({ auth: base64(`${name}:p`) });
    const source = await from({
      auths: {
        "r.example": auth("host"),
        "r.example/a": auth("a"),
        "r.example/a/b": auth("ab"),
        "docker.io/x": auth("x"),
      },
    });
    const user = async (registry: string, repository?: string) => {
      const found = await source.get(registry, repository);
      return found?.kind === "password" ? found.username : found;
    };
    expect(await user("r.example", "a/b")).toBe("ab");
    expect(await user("r.example", "a/b/c")).toBe("ab");
    expect(await user("r.example", "a/bc")).toBe("a");
    expect(await user("r.example", "ab")).toBe("host");
    expect(await user("r.example")).toBe("host");
    expect(await user("docker.io", "x/y")).toBe("x");
    expect(await user("docker.io", "y")).toBeUndefined();
  });

  it("come as user name and password, refresh token, or registry token", async () => {
    const source = await from({
      auths: {
        plain: { username: "ann", password: "s3:cret" },
        refresh: { auth: base64("ann:"), identitytoken: "idt" },
        bearer: { registrytoken: "rt" },
        empty: {},
        odd: "what",
      },
    });
    expect(await source.get("plain")).toEqual(ann);
    expect(await source.get("refresh")).toEqual({ kind: "identity-token", token: "idt" });
    expect(await source.get("bearer")).toEqual({ kind: "registry-token", token: "rt" });
    expect(await source.get("empty")).toBeUndefined();
    expect(await source.get("odd")).toBeUndefined();
    expect(await source.get("constructor")).toBeUndefined();
  });
});

describe("the places of credentials", () => {
  const login = (name: string) => ({ auths: { "r.example": { auth: base64(`${name}:p`) } } });

  it("are Podman's and Docker's usual ones, and what the environment names", async () => {
    await write("home/.docker/config.json", login("docker"));
    await write("home/.config/containers/auth.json", login("podman"));
    await write("run/containers/auth.json", login("run"));
    await write("xdg/containers/auth.json", login("xdg"));
    const named = await write("elsewhere/auth.json", login("named"));
    await write("dc/config.json", login("dc"));
    const HOME = join(folder, "home");
    const user = async (env: Record<string, string>) => {
      const found = await dockerCredentials({ env }).get("r.example");
      return found?.kind === "password" ? found.username : found;
    };
    expect(await user({ HOME: join(folder, "absent") })).toBeUndefined();
    expect(await user({ HOME })).toBe("podman");
    await rm(join(HOME, ".config"), { recursive: true });
    expect(await user({ HOME })).toBe("docker");
    expect(await user({ HOME, XDG_CONFIG_HOME: join(folder, "xdg") })).toBe("xdg");
    expect(await user({ HOME, XDG_RUNTIME_DIR: join(folder, "run") })).toBe("run");
    expect(await user({ HOME, DOCKER_CONFIG: join(folder, "dc"), XDG_RUNTIME_DIR: join(folder, "run") })).toBe("dc");
    expect(await user({ HOME, REGISTRY_AUTH_FILE: named, DOCKER_CONFIG: join(folder, "dc") })).toBe("named");
  });

  it("of Podman without XDG_RUNTIME_DIR, or with a relative one, is below /run on Linux", () => {
    const usual = (env: Record<string, string>) => defaultPaths({ HOME: "/h", ...env }).map(({ path }) => path);
    const run = process.platform === "linux" ? [`/run/containers/${process.getuid?.()}/auth.json`] : [];
    const rest = ["/h/.config/containers/auth.json", "/h/.docker/config.json"];
    expect(usual({})).toEqual([...run, ...rest]);
    expect(usual({ XDG_RUNTIME_DIR: "run/user", XDG_CONFIG_HOME: "config" })).toEqual([...run, ...rest]);
    expect(usual({ XDG_RUNTIME_DIR: "/run/user/7" })[0]).toBe("/run/user/7/containers/auth.json");
  });

  it.skipIf(process.getuid?.() === 0)("that the user did not name and must not read are skipped", async () => {
    const file = await write("home/.docker/config.json", login("docker"));
    await chmod(file, 0);
    const warnings: string[] = [];
    const source = dockerCredentials({ env: { HOME: join(folder, "home") }, logger: logTo(warnings) });
    expect(await source.get("r.example")).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining(file)]);
    expect(await codeOf(dockerCredentials({ paths: [file] }).get("r.example"))).toBe("MOTE_CONFIG");
  });

  it("are read again each time", async () => {
    const source = await from(login("ann"));
    await write("config.json", login("bob"));
    expect(await source.get("r.example")).toMatchObject({ username: "bob" });
  });

  it("that cannot be read, or are not JSON, are an error without a secret in it", async () => {
    const broken = await from('{"auths":{"r.example":{"auth":"c2VjcmV0"');
    expect(await codeOf(broken.get("r.example"))).toBe("MOTE_CONFIG");
    expect(await shownBy(broken.get("r.example"))).not.toContain("c2VjcmV0");
    expect(await codeOf(dockerCredentials({ paths: [folder] }).get("r.example"))).toBe("MOTE_CONFIG");
    for (const text of [
      "",
      "\ufeff",
      " \n",
      '{"auths":null}',
      '{"auths":[],"credHelpers":null,"credsStore":null}',
      "{}",
    ]) {
      expect([text, await (await from(text)).get("r.example")]).toEqual([text, undefined]);
    }
  });

  it("may begin with a byte order mark", async () => {
    const source = await from(`\ufeff${JSON.stringify(login("ann"))}`);
    expect(await source.get("r.example")).toMatchObject({ username: "ann" });
  });

  it("may have entries without a user name, which are reported once and passed over", async () => {
    for (const text of ["s3cret", ":s3cret", ":"]) {
      const warnings: string[] = [];
      const auths = { "r.example/a": { auth: base64(text) }, "r.example": { auth: base64("ann:s3:cret") } };
      const source = await from({ auths }, {}, logTo(warnings));
      expect([text, await source.get("r.example", "a/b")]).toEqual([text, ann]);
      expect([text, await source.get("r.example", "a/b")]).toEqual([text, ann]);
      expect(warnings).toEqual([expect.stringMatching(/r\.example\/a.*config\.json/)]);
      expect(warnings.join()).not.toContain("s3cret");
    }
  });
});

describe("credential helpers", () => {
  const answer = (username: string, secret: string) =>
    `read server; printf '{"ServerURL":"%s","Username":"${username}","Secret":"${secret}"}' "$server"`;

  it("are asked for the registry that names one, before auths", async () => {
    const PATH = await helper("test", answer("ann", "s3:cret"));
    const auths = { "r.example": { auth: base64("other:p") } };
    const source = await from({ auths, credHelpers: { "r.example": "test" } }, { PATH });
    expect(await source.get("r.example")).toEqual(ann);
  });

  it("are asked for everything else as the store, docker.io under its old name", async () => {
    const PATH = await helper("store", `read server; printf '{"Username":"%s","Secret":"p"}' "$server"`);
    const source = await from({ credsStore: "store" }, { PATH });
    expect(await source.get("r.example:5000")).toMatchObject({ username: "r.example:5000" });
    expect(await source.get("docker.io")).toMatchObject({ username: "https://index.docker.io/v1/" });
  });

  it("give a refresh token under the name <token>", async () => {
    const PATH = await helper("test", answer("<token>", "idt"));
    const source = await from({ credsStore: "test" }, { PATH });
    expect(await source.get("r.example")).toEqual({ kind: "identity-token", token: "idt" });
  });

  it("are asked for docker.io under each of its names", async () => {
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
  ])("that have nothing have nothing: %s", async (line) => {
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
  ])("that fail with %s are reported once, and what auths have is used", async (_, script) => {
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

  it("that are missing are reported, and what auths and other files have is used", async () => {
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

  it("that cannot be run here, as a program of another system, are reported like one that is missing", async () => {
    const file = await write("bin/docker-credential-alien", Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0]).toString());
    await chmod(file, 0o755);
    const warnings: string[] = [];
    const source = await from({ credsStore: "alien" }, { PATH: dirname(file) }, logTo(warnings));
    expect(await source.get("r.example")).toBeUndefined();
    expect(warnings).toHaveLength(1);
  });

  it("that answer nonsense, or have no name of a helper, are an error without a secret in it", async () => {
    const PATH = await helper("nonsense", "echo s3cret");
    for (const credsStore of ["nonsense", "../../bin/sh"]) {
      const source = await from({ credsStore }, { PATH });
      expect([credsStore, await codeOf(source.get("r.example"))]).toEqual([credsStore, "MOTE_CONFIG"]);
      expect(await shownBy(source.get("r.example"))).not.toContain("s3cret");
    }
  });

  it("that never answer are ended", async () => {
    const PATH = await helper("hanging", "exec sleep 1000");
    const paths = [await write("config.json", { credsStore: "hanging" })];
    const source = dockerCredentials({ paths, env: { PATH }, helperTimeoutMs: 50 });
    expect(await codeOf(source.get("r.example"))).toBe("MOTE_CONFIG");
  });

  it("that write without end are ended", async () => {
    const PATH = await helper("endless", "exec yes");
    const source = await from({ credsStore: "endless" }, { PATH });
    expect(await shownBy(source.get("r.example"))).toContain("printed more than 256 KiB");
  });

  it("have responded when they end, even if a process they started continues to hold their output", async () => {
    const PATH = await helper("daemon", `sleep 20 & ${answer("ann", "s3:cret")}`);
    const source = await from({ credsStore: "daemon" }, { PATH });
    expect(await source.get("r.example")).toEqual(ann);
  });

  it.each(["EMFILE", "ENFILE", "EAGAIN", "ENOMEM"])("that cannot be started report %s by its name", async (code) => {
    const source = await from({ credsStore: "test" });
    const spawn = vi.spyOn(childProcess, "spawn").mockImplementation(() => {
      // As Node has it: what has no pipes is an object without streams, and the error follows.
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
