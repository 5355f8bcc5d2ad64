import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DockerRegistry, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { mainFile, runMote } from "./run-mote.js";

const wanted = needs("docker-registry", "htpasswd", "script");
const login = { username: "ann", password: "s3:cret" };

describe.skipIf(wanted !== "")(`mote login${wanted}`, () => {
  let registry: DockerRegistry;
  let home = "";
  let env: NodeJS.ProcessEnv = {};

  beforeAll(async () => {
    registry = await startDockerRegistry({ login });
  });
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await rm(home, { recursive: true, force: true });
    home = await mkdtemp(join(tmpdir(), "mote-login-"));
    env = { HOME: home };
  });

  const logIn = (input: string, ...more: string[]) =>
    runMote(["login", registry.host, "--username", "ann", "--password-stdin", ...more], { env, input });
  const configFile = () => join(home, ".docker/config.json");

  it("stores accepted credentials for other commands and tools, until mote logout", async () => {
    const done = await logIn("s3:cret\n", "--json");
    expect(done).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(done.stdout)).toEqual({
      registry: registry.host,
      username: "ann",
      keptIn: configFile(),
      checked: true,
    });
    const auth = Buffer.from("ann:s3:cret").toString("base64");
    expect(JSON.parse(await readFile(configFile(), "utf8"))).toEqual({ auths: { [registry.host]: { auth } } });
    const pull = () => runMote(["pull", `${registry.host}/no/such:1`, "--json"], { env });
    expect(JSON.parse((await pull()).stderr).error.code).toBe("MOTE_NOT_FOUND");

    const out = await runMote(["logout", registry.host, "--json"], { env });
    expect(JSON.parse(out.stdout)).toEqual({ registry: registry.host, erased: [configFile()] });
    expect(JSON.parse((await pull()).stderr).error.code).toBe("MOTE_UNAUTHORIZED");
    expect(await runMote(["logout", registry.host], { env })).toMatchObject({ status: 0 });
  });

  it("reads credentials by host from the file that the settings name", async () => {
    const auth = Buffer.from("ann:s3:cret").toString("base64");
    await writeFile(join(home, "mirror-auth.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    await writeFile(join(home, "mote.json"), JSON.stringify({ authFile: "mirror-auth.json" }));
    const pull = (more: NodeJS.ProcessEnv) =>
      runMote(["pull", `${registry.host}/no/such:1`, "--json"], { env: { ...env, ...more } });
    const codes = [await pull({}), await pull({ MOTE_CONFIG: join(home, "mote.json") })].map(
      ({ stderr }) => JSON.parse(stderr).error.code,
    );
    expect(codes).toEqual(["MOTE_UNAUTHORIZED", "MOTE_NOT_FOUND"]);
  });

  it("stores no rejected credentials, and never shows them", async () => {
    const refused = await logIn("wr0ng");
    expect(refused.status).toBe(1);
    expect(refused.stdout + refused.stderr).not.toContain("wr0ng");
    await expect(readFile(configFile())).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("accepts no password on the command line, and requires one", async () => {
    for (const args of [
      ["--username", "ann", "--password", "s3:cret"],
      ["--username", "ann", "--password=s3:cret"],
      ["--password-stdin"],
      ["--username", "ann"],
      [],
    ]) {
      const refused = await runMote(["login", registry.host, ...args], { env, input: "s3:cret" });
      expect([args, refused.status]).toEqual([args, 2]);
      expect(refused.stderr).not.toContain("s3:cret");
    }
    const inHost = await runMote(["login", `ann:s3cret@${registry.host}`], { env });
    expect(inHost.stdout + inHost.stderr).not.toContain("s3cret");
  });

  /** Runs the command on a pseudo-terminal, and types the answer to each prompt. */
  function atTerminal(type: readonly (readonly [string, string])[]): Promise<{ status: number | null; shown: string }> {
    const line = [process.execPath, mainFile, "login", registry.host].map((word) => `'${word}'`).join(" ");
    const child = spawn("script", ["-qec", line, "/dev/null"], { env: { PATH: process.env.PATH, ...env } });
    let shown = "";
    let answered = 0;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      shown += text;
      const [prompt, answer] = type[answered] ?? [];
      if (prompt === undefined || !shown.includes(prompt)) return;
      answered += 1;
      child.stdin.write(answer);
    });
    return new Promise((resolve) => {
      child.once("close", (status) => resolve({ status, shown }));
    });
  }

  it("prompts on a terminal, and does not show the password", async () => {
    const { status, shown } = await atTerminal([
      ["User name", "ann\r"],
      ["Password", "s3:cret\r"],
    ]);
    expect([status, shown]).toEqual([0, expect.stringContaining(configFile())]);
    expect(shown).not.toContain("s3:cret");
    expect(Object.keys(JSON.parse(await readFile(configFile(), "utf8")).auths)).toEqual([registry.host]);
  });

  it("is interrupted at its prompt by Ctrl-C", async () => {
    const { status } = await atTerminal([["User name", "\u0003"]]);
    expect(status).toBe(130);
  });
});
