import { chmod, chown, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import os, { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { codeOf, shownBy } from "../../test/outcome.js";
import { dockerCredentials } from "./docker-credentials.js";
import { eraseCredentials, saveCredentials } from "./stored-credentials.js";

const ann = { kind: "password", username: "ann", password: "s3:cret" } as const;
const bob = { kind: "password", username: "bob", password: "p" } as const;

let folder = "";
let env: Record<string, string> = {};
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mote-credentials-"));
  env = { HOME: folder };
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(path: string, content: unknown): Promise<string> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(content), { mode: 0o644 });
  return file;
}

async function read(path: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, path), "utf8"));
}

/** Installs a helper that stores credentials in a file next to it. */
async function installHelper(name: string): Promise<void> {
  const kept = join(folder, `${name}.json`);
  const file = join(folder, "bin", `docker-credential-${name}`);
  await mkdir(dirname(file), { recursive: true });
  const script = `case "$1" in
store) cat > ${kept};;
get) cat ${kept} 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; };;
erase) cat > ${kept}.erased; rm ${kept};;
esac`;
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  env.PATH = `${dirname(file)}${delimiter}${process.env.PATH}`;
}

describe("saved credentials", () => {
  it("are found in Docker's file, which only its owner can read", async () => {
    expect(await saveCredentials("r.example:5000", ann, { env })).toBe(join(folder, ".docker/config.json"));
    expect(await dockerCredentials({ env }).get("r.example:5000", "a/b")).toEqual(ann);
    expect((await stat(join(folder, ".docker/config.json"))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, ".docker"))).toEqual(["config.json"]);
    await saveCredentials("r.example:5000", bob, { env });
    expect(await dockerCredentials({ env }).get("r.example:5000")).toEqual(bob);
  });

  it("keep other content of the file, and make it private", async () => {
    const others = { "other.example": { auth: "eDp5" }, "r.example/team": { auth: "eDp5" } };
    const file = await write(".docker/config.json", { auths: others, HttpHeaders: { a: "b" }, psFormat: "x" });
    await saveCredentials("r.example", ann, { env });
    const auths = { ...others, "r.example": { auth: Buffer.from("ann:s3:cret").toString("base64") } };
    expect(await read(".docker/config.json")).toEqual({ auths, HttpHeaders: { a: "b" }, psFormat: "x" });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("of docker.io have the key of `docker login`, and replace entries of its other names", async () => {
    await write(".docker/config.json", { auths: { "docker.io": {}, "index.docker.io": {} } });
    await saveCredentials("docker.io", ann, { env });
    expect(Object.keys(Object((await read(".docker/config.json")) as object).auths)).toEqual([
      "https://index.docker.io/v1/",
    ]);
    expect(await dockerCredentials({ env }).get("docker.io")).toEqual(ann);
  });

  it("are written to the file that already has the registry", async () => {
    env.XDG_RUNTIME_DIR = join(folder, "run");
    const podman = await write("run/containers/auth.json", { auths: { "https://r.example/v2/": { auth: "eDp5" } } });
    await write(".docker/config.json", {});
    expect(await saveCredentials("r.example", ann, { env })).toBe(podman);
    expect(await dockerCredentials({ env }).get("r.example")).toEqual(ann);
    expect(await saveCredentials("s.example", ann, { env })).toBe(join(folder, ".docker/config.json"));
  });

  it("are written to the file that the environment names", async () => {
    env.DOCKER_CONFIG = join(folder, "elsewhere");
    expect(await saveCredentials("r.example", ann, { env })).toBe(join(folder, "elsewhere/config.json"));
    env.REGISTRY_AUTH_FILE = join(folder, "mine.json");
    expect(await saveCredentials("s.example", ann, { env })).toBe(join(folder, "mine.json"));
    expect(await dockerCredentials({ env }).get("s.example")).toEqual(ann);
  });

  it("are written through a symbolic link, which is kept", async () => {
    const real = await write("dotfiles/docker.json", {});
    await mkdir(join(folder, ".docker"));
    await symlink(real, join(folder, ".docker/config.json"));
    await saveCredentials("r.example", ann, { env });
    expect((await lstat(join(folder, ".docker/config.json"))).isSymbolicLink()).toBe(true);
    expect(await read("dotfiles/docker.json")).toHaveProperty(["auths", "r.example"]);
  });

  it("do not replace a file that is not a JSON object", async () => {
    const file = await write(".docker/config.json", "");
    for (const text of ["{ s3cret", "[]", '"s3cret"']) {
      await writeFile(file, text);
      const saving = saveCredentials("r.example", ann, { env });
      expect([text, await codeOf(saving)]).toEqual([text, "MOTE_CONFIG"]);
      expect(await shownBy(saving)).not.toContain("s3cret");
      expect(await readFile(file, "utf8")).toBe(text);
    }
  });

  it("that cannot be written are an error without secrets", async () => {
    await writeFile(join(folder, ".docker"), "a file, and no folder");
    const saving = saveCredentials("r.example", ann, { env });
    expect(await codeOf(saving)).toBe("MOTE_CONFIG");
    expect(await shownBy(saving)).not.toContain("s3:cret");
  });

  it("keep the group and the owner of a shared file", async () => {
    const file = await write(".docker/config.json", {});
    for (const mode of [0o640, 0o660, 0o600]) {
      await chmod(file, mode);
      await saveCredentials("r.example", ann, { env });
      expect((await stat(file)).mode & 0o777).toBe(mode);
    }
    if (process.getuid?.() !== 0) return;
    await chown(file, 4711, 4712);
    await saveCredentials("s.example", ann, { env });
    expect(await stat(file)).toMatchObject({ uid: 4711, gid: 4712 });
  });

  it("without a home directory or a named file are an error that says what to set", async () => {
    vi.spyOn(os, "userInfo").mockImplementation(() => {
      throw new Error("no entry");
    });
    // An imported `userInfo` is a copy.
    syncBuiltinESMExports();
    try {
      for (const HOME of [undefined, "", "relative"]) {
        const saving = saveCredentials("r.example", ann, { env: { HOME } });
        expect(await codeOf(saving)).toBe("MOTE_CONFIG");
        expect(await shownBy(saving)).toMatch(/REGISTRY_AUTH_FILE/);
        expect(await dockerCredentials({ env: { HOME } }).get("r.example")).toBeUndefined();
        expect(await eraseCredentials("r.example", { env: { HOME } })).toEqual([]);
      }
      const REGISTRY_AUTH_FILE = join(folder, "auth.json");
      expect(await saveCredentials("r.example", ann, { env: { REGISTRY_AUTH_FILE } })).toBe(REGISTRY_AUTH_FILE);
    } finally {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    }
  });

  it("of refresh tokens are stored as identitytoken", async () => {
    const token = { kind: "identity-token", token: "idt" } as const;
    await saveCredentials("r.example", token, { env });
    expect(await dockerCredentials({ env }).get("r.example")).toEqual(token);
  });
});

describe("credentials with a helper", () => {
  it("are stored by the helper that the file names for all registries or this one, and not in the file", async () => {
    await installHelper("safe");
    const file = await write(".docker/config.json", { auths: { "r.example": { auth: "eDp5" } }, credsStore: "safe" });
    expect(await saveCredentials("r.example", ann, { env })).toBe("docker-credential-safe");
    expect(await read("safe.json")).toEqual({ ServerURL: "r.example", Username: "ann", Secret: "s3:cret" });
    expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ auths: {}, credsStore: "safe" });
    expect(await dockerCredentials({ env }).get("r.example")).toEqual(ann);

    await write(".docker/config.json", { credHelpers: { "r.example": "safe" } });
    expect(await saveCredentials("r.example", bob, { env })).toBe("docker-credential-safe");
    expect(await saveCredentials("s.example", bob, { env })).toBe(file);
  });

  it("of docker.io are stored with the old name of docker.io", async () => {
    await installHelper("safe");
    await write(".docker/config.json", { credsStore: "safe" });
    await saveCredentials("docker.io", { kind: "identity-token", token: "idt" }, { env });
    const kept = { ServerURL: "https://index.docker.io/v1/", Username: "<token>", Secret: "idt" };
    expect(await read("safe.json")).toEqual(kept);
  });

  it("cannot be stored if the helper is missing or for a bearer token", async () => {
    await write(".docker/config.json", { credsStore: "missing" });
    expect(await codeOf(saveCredentials("r.example", ann, { env }))).toBe("MOTE_CONFIG");
    await installHelper("missing");
    const bearer = { kind: "registry-token", token: "t" } as const;
    expect(await codeOf(saveCredentials("r.example", bearer, { env }))).toBe("MOTE_CONFIG");
  });

  it("are erased from the file if the helper is missing", async () => {
    const file = await write(".docker/config.json", {
      auths: { "r.example": { auth: "eDp5" } },
      credsStore: "missing",
    });
    expect(await eraseCredentials("r.example", { env })).toEqual([file]);
    expect(await read(".docker/config.json")).toEqual({ auths: {}, credsStore: "missing" });
  });

  it("are erased by the helper", async () => {
    await installHelper("safe");
    await write(".docker/config.json", { credsStore: "safe" });
    expect(await eraseCredentials("r.example", { env })).toEqual([]);
    await saveCredentials("r.example", ann, { env });
    expect(await eraseCredentials("r.example", { env })).toEqual(["docker-credential-safe"]);
    expect(await readFile(join(folder, "safe.json.erased"), "utf8")).toBe("r.example");
    expect(await dockerCredentials({ env }).get("r.example")).toBeUndefined();
  });
});

describe("erased credentials", () => {
  it("are removed from every file, and others are kept", async () => {
    env.XDG_RUNTIME_DIR = join(folder, "run");
    const auth = { auth: "eDp5" };
    const podman = await write("run/containers/auth.json", { auths: { "r.example": auth, "r.example/team": auth } });
    const docker = await write(".docker/config.json", {
      auths: { "https://r.example": auth, "s.example": auth },
      a: 1,
    });
    expect(await eraseCredentials("r.example", { env })).toEqual([podman, docker]);
    expect(await read("run/containers/auth.json")).toEqual({ auths: { "r.example/team": auth } });
    expect(await read(".docker/config.json")).toEqual({ auths: { "s.example": auth }, a: 1 });
    expect(await eraseCredentials("r.example", { env })).toEqual([]);
  });

  it("do not create a file", async () => {
    expect(await eraseCredentials("r.example", { env })).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });
});
