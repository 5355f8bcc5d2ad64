import { describe, expect, it } from "vitest";
import { nearest } from "../src/input/nearest.js";
import { parseCommandLine } from "../src/input/parse.js";
import { UsageError } from "../src/input/usage-error.js";
import { table } from "../src/table.js";

function read(line: string) {
  const { command, ...rest } = parseCommandLine(line.split(" ").filter(Boolean), table);
  return { command: typeof command === "object" ? command.name : command, ...rest };
}

function complaint(line: string): string {
  try {
    read(line);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error(`mote ${line} was read`);
}

describe("a command line", () => {
  it("assigns each argument to its name, even after a repeated one", () => {
    expect(read("pull a b").values).toEqual({ src: "a", dest: "b" });
    expect(read("pull a").values).toEqual({ src: "a" });
    expect(read("push a b c d").values).toEqual({ src: ["a", "b", "c"], dest: "d" });
  });

  it("accepts options before and after the command, with =, and arguments after --", () => {
    expect(read("--cache /c pull --platform=linux/arm64 a --json")).toMatchObject({
      command: "pull",
      values: { src: "a" },
      options: { platform: "linux/arm64", force: false },
      everywhere: { cache: "/c", json: true },
    });
    expect(read("--platform linux/arm64 pull a").options).toMatchObject({ platform: "linux/arm64" });
    expect(read("rm -- -q --json").values).toEqual({ name: ["-q", "--json"] });
    expect(read("push a b --annotation x=1 --annotation=y=2").options).toMatchObject({ annotation: ["x=1", "y=2"] });
  });

  it("sets the default of an option, and omits options without one", () => {
    const ofServe = read("serve").options;
    expect(ofServe).toMatchObject({ host: "127.0.0.1", port: "5000", fresh: "60s", offline: false, push: false });
    expect(ofServe).not.toHaveProperty("upstream");
    expect(read("prune --dry-run").options).toEqual({ dryRun: true, yes: false });
  });

  it("shows help wherever --help is, even if arguments are missing", () => {
    expect(read("pull --help")).toMatchObject({ command: "pull", everywhere: { help: true } });
    expect(read("-h")).toMatchObject({ command: undefined, everywhere: { help: true } });
  });

  it.each([
    ["pul x", "mean pull?"],
    ["vreify", "mean verify?"],
    ["ls --ful", "mean --full?"],
    ["pull a --platfrom x", "mean --platform?"],
    ["prune --max 3GB", "mean --max-size?"],
    ["ls --platform x", "pull, push, copy, sync"],
  ])("with an unknown word, mote %s, says: %s", (line, said) => {
    expect(complaint(line)).toContain(said);
  });

  it.each(["frobnicate", "ls --frobnicate", "ls -z"])(
    "with a word that resembles no other, mote %s, suggests nothing",
    (line) => {
      expect(complaint(line)).not.toContain("did you mean");
    },
  );

  it.each([
    "pull",
    "pull a b c",
    "push a",
    "du x",
    "ls --full=yes",
    "prune --max-size",
    "prune --max-size --dry-run",
    "pull a --unpack=",
  ])("is an error: mote %s", (line) => {
    expect(complaint(line)).not.toBe("");
  });
});

describe("the nearest name", () => {
  it("counts a transposition as one edit", () => {
    expect(nearest("sl", ["ls", "du"])).toBe("ls");
  });

  it("completes a prefix", () => {
    expect(nearest("comp", ["completion", "copy"])).toBe("completion");
  });
});
