import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Logger, silentLogger } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf, shownBy } from "../../test/outcome.js";
import { readAuthFiles } from "./auth-file.js";
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

describe("credentials of auths", () => {
  it("are found by host, and by the keys of old clients", async () => {
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

  it("of docker.io are found by any of its names", async () => {
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

  it("are found with and without the default port", async () => {
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

  it("that are empty, as Docker writes them for a helper, do not hide others of the registry", async () => {
    const auths = {
      "docker.io": {},
      "registry-1.docker.io": null,
      "https://index.docker.io/v1/": { auth: base64("ann:s3:cret") },
    };
    expect(await (await from({ auths })).get("docker.io", "library/x")).toEqual(ann);
  });

  it("with the exact key take precedence over other spellings", async () => {
    const auths = { "https://r.example/v1/": { auth: base64("old:p") }, "r.example": { auth: base64("ann:s3:cret") } };
    expect(await (await from({ auths })).get("r.example")).toEqual(ann);
  });

  it("for the longest path prefix take precedence", async () => {
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

  it("are a user name and password, a refresh token, or a registry token", async () => {
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

describe("the files of credentials", () => {
  const login = (name: string) => ({ auths: { "r.example": { auth: base64(`${name}:p`) } } });

  it("are the default ones of Podman and Docker, and those that the environment names", async () => {
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

  it.skipIf(process.getuid?.() !== 0)(
    "below /run, which a container tool of root has closed, are not missed",
    async () => {
      const path = await write("closed/auth.json", login("closed"));
      await chmod(join(folder, "closed"), 0o700);
      await chmod(folder, 0o755);
      const warnings: string[] = [];
      const read = async (isOfSystem: boolean) => {
        for await (const file of readAuthFiles([{ path, isNamed: false, isOfSystem }], (text) => warnings.push(text)))
          return file.path;
        return undefined;
      };
      process.seteuid?.(65_534);
      try {
        expect(await read(true)).toBeUndefined();
        expect(warnings).toEqual([]);
        expect(await read(false)).toBeUndefined();
        expect(warnings).toEqual([expect.stringContaining("EACCES")]);
      } finally {
        process.seteuid?.(0);
      }
      expect(await read(true)).toBe(path);
    },
  );

  it.skipIf(process.getuid?.() === 0)("that the user did not name and cannot read are skipped", async () => {
    const file = await write("home/.docker/config.json", login("docker"));
    await chmod(file, 0);
    const warnings: string[] = [];
    const source = dockerCredentials({ env: { HOME: join(folder, "home") }, logger: logTo(warnings) });
    expect(await source.get("r.example")).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining(file)]);
    expect(await codeOf(dockerCredentials({ paths: [file] }).get("r.example"))).toBe("MOTE_CONFIG");
  });

  it("are read again for each look-up", async () => {
    const source = await from(login("ann"));
    await write("config.json", login("bob"));
    expect(await source.get("r.example")).toMatchObject({ username: "bob" });
  });

  it("that cannot be read or are not JSON are an error without secrets", async () => {
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

  it("may start with a byte order mark", async () => {
    const source = await from(`\ufeff${JSON.stringify(login("ann"))}`);
    expect(await source.get("r.example")).toMatchObject({ username: "ann" });
  });

  it("may have entries without a user name, which are reported once and skipped", async () => {
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
