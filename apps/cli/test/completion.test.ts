import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needs } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Completion, complete } from "../src/completion/complete.js";
import { completionScripts } from "../src/completion/scripts.js";
import { table } from "../src/table.js";
import { transports } from "../src/wire.js";
import { mainFile, run, runMote } from "./run-mote.js";

const cached = {
  prefixes: transports.flatMap(({ prefix, usage }) => (usage ? { value: prefix, about: "" } : [])),
  names: async () => [{ value: "docker.io/library/alpine:3.20", about: "" }],
  digests: async () => [{ value: "sha256:4bcff63911fc", about: "" }],
  paths: async (reference: string) => (reference.startsWith("oci:") ? [{ value: "oci:build/", about: "" }] : undefined),
};

const values = ({ candidates }: Completion) => candidates.map(({ value }) => value);

describe("completion", () => {
  const of = async (line: string) => complete(line.split(" "), table, cached);

  it.each([
    ["pu", ["pull", "push"]],
    ["--cache /c pu", ["pull", "push"]],
    ["help pu", ["pull", "push"]],
    ["ls --ful", ["--full"]],
    ["pull --platform linux/arm6", ["linux/arm64"]],
    ["--color al", ["always"]],
    ["pull docker.io/l", ["docker.io/library/alpine:3.20"]],
    ["pull oci", ["oci:", "oci-archive:"]],
    ["pull sha", ["sha256:4bcff63911fc"]],
    ["pull a docker", ["docker://", "docker-archive:"]],
    ["copy a docker.io/l", []],
    ["cat sha", ["sha256:4bcff63911fc"]],
    ["rm ", ["docker.io/library/alpine:3.20"]],
    ["rm sha256:", ["sha256:4bcff63911fc"]],
    ["pull oci:b", ["oci:build/"]],
    ["pull a oci:", ["oci:build/"]],
    ["completion f", ["fish"]],
    ["config max", ["maxSize", "maxUnpacked", "maxEntries", "maxRate", "maxConnections"]],
  ])("of `mote %s` is %j", async (line, wanted) => {
    expect(values(await of(line))).toEqual(wanted);
  });

  it("offers files and directories where they are expected", async () => {
    expect(await of("add ")).toMatchObject({ paths: "files" });
    expect(await of("ls --cache ")).toMatchObject({ paths: "folders" });
    expect((await of("ls ")).paths).toBeUndefined();
  });

  it("does not offer an option again", async () => {
    expect(values(await of("ls --full --f"))).toEqual([]);
    expect(values(await of("push a b --annotation x=1 --anno"))).toEqual(["--annotation"]);
  });
});

describe("a shell", () => {
  let dir: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-completion-"));
    const bin = join(dir, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "mote"), `#!/bin/sh\nexec "${process.execPath}" "${mainFile}" "$@"\n`);
    await chmod(join(bin, "mote"), 0o755);
    env = { PATH: `${bin}:${process.env.PATH}`, HOME: dir, MOTE_CACHE_DIR: join(dir, "cache") };
    await writeFile(join(dir, "notes.txt"), "notes");
    const pushed = await runMote(["push", join(dir, "notes.txt"), `oci:${join(dir, "layout")}:first`, "--json"], {
      env,
    });
    expect(pushed.status).toBe(0);
    for (const [shell, script] of Object.entries(completionScripts)) {
      expect(await runMote(["completion", shell])).toMatchObject({ status: 0, stdout: script });
      await writeFile(join(dir, `mote.${shell}`), script);
    }
  });

  afterAll(() => rm(dir, { recursive: true, force: true }));

  const lines = (text: string) => text.split("\n").filter(Boolean);

  async function bash(line: string): Promise<string[]> {
    const script = `source "${dir}/mote.bash"; COMP_LINE="$1"; COMP_POINT=\${#COMP_LINE}; _mote; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return lines((await run("bash", ["-c", script, "bash", line], { env })).stdout);
  }

  it("bash completes commands, options, and a name after its last colon", async () => {
    expect(await bash("mote pu")).toEqual(["pull", "push"]);
    expect(await bash("mote ls --ful")).toEqual(["--full"]);
    expect(await bash("mote rm oci:")).toEqual([`${join(dir, "layout")}:first`]);
    expect(await bash(`mote add ${dir}/no`)).toEqual([`${dir}/notes.txt`]);
    expect((await bash("mote cat sha256:"))[0]).toMatch(/^[0-9a-f]{12}$/);
  });

  const noFish = needs("fish");
  it.skipIf(noFish !== "")(`fish completes commands with descriptions, options and names${noFish}`, async () => {
    const fish = async (line: string) => {
      const script = `source ${dir}/mote.fish; complete -C '${line}'`;
      return lines((await run("fish", ["--no-config", "-c", script], { env })).stdout);
    };
    expect(await fish("mote pu")).toEqual(expect.arrayContaining([expect.stringMatching(/^pull\tPull an image/)]));
    expect(await fish("mote ls --ful")).toEqual(expect.arrayContaining([expect.stringMatching(/^--full\t/)]));
    expect(await fish("mote rm oci:")).toEqual([`oci:${join(dir, "layout")}:first`]);
  });

  const noZsh = needs("zsh");
  it.skipIf(noZsh !== "")(`zsh completes commands, options and names at its prompt${noZsh}`, async () => {
    const zsh = async (line: string) => {
      const script = String.raw`
        zmodload zsh/zpty
        zpty session zsh -f -i
        zpty -w session 'PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -d "$HOME/dump"; source "$HOME/mote.zsh"; bindkey "^I" complete-word; echo "re""ady"'
        zpty -r session out '*ready*'
        zpty -w -n session "$1"$'\t'
        zpty -w session $'\x01echo "<"\x05">"'
        zpty -r session out '*<mote*>*'
        print -r -- "$out"
      `;
      return (await run("zsh", ["-f", "-c", script, "zsh", line], { env })).stdout;
    };
    expect(await zsh("mote verif")).toContain("mote verify");
    expect(await zsh("mote ls --ful")).toContain("--full");
    expect(await zsh("mote rm oci:")).toContain(`${join(dir, "layout")}:first`);
  });
});

describe("the man page", () => {
  const noMan = needs("man");
  it.skipIf(noMan !== "")(`is read by man without a warning, and names every command and option${noMan}`, async () => {
    const page = join(mainFile, "..", "..", "man", "mote.1");
    const shown = await run("man", ["--warnings", "-l", page], {
      env: { MANWIDTH: "100", MAN_KEEP_FORMATTING: "", LC_ALL: "C.UTF-8" },
    });
    expect(shown).toMatchObject({ status: 0, stderr: "" });
    for (const { name, options, hidden } of table) {
      if (hidden) continue;
      expect(shown.stdout).toContain(`mote ${name}`);
      for (const option of Object.keys(options ?? {})) expect(shown.stdout).toContain(`--${option}`);
    }
  });
});
