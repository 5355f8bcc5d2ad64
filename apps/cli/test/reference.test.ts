import { describe, expect, it } from "vitest";
import { cliReference } from "../src/help/cli-reference.js";
import { configReference, configSchema } from "../src/help/config-reference.js";
import { jsonReference, jsonSchemas } from "../src/help/json-reference.js";
import { allEverywhere } from "../src/input/common-options.js";
import { parseCommandLine } from "../src/input/parse.js";
import { table } from "../src/table.js";

// Files generated from the sources by `pnpm docs:reference`.
describe("the reference generated from the table of commands is up to date", () => {
  it("docs/reference/cli.md", async () => {
    await expect(cliReference(table)).toMatchFileSnapshot("../../../docs/reference/cli.md");
  });

  it("docs/reference/configuration.md and its schema", async () => {
    await expect(configReference()).toMatchFileSnapshot("../../../docs/reference/configuration.md");
    await expect(configSchema()).toMatchFileSnapshot("../../../docs/reference/configuration.schema.json");
  });

  it("docs/reference/json.md and its schemas", async () => {
    await expect(jsonReference(table)).toMatchFileSnapshot("../../../docs/reference/json.md");
    await expect(jsonSchemas()).toMatchFileSnapshot("../../../docs/reference/json.schema.json");
  });
});

describe("the table of commands", () => {
  const shown = table.filter(({ hidden }) => !hidden);

  it("has each name only once", () => {
    const names = table.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(shown.map((spec) => [spec.name, spec] as const))(
    "shows two examples of %s that it can read",
    (name, spec) => {
      expect(spec.examples.length).toBeGreaterThanOrEqual(2);
      for (const { line } of spec.examples) {
        const typed = line.split(/ [|>] /).find((part) => part.startsWith("mote "));
        const [, ...words] = typed?.split(" ") ?? [];
        expect(parseCommandLine(words, table).command).toMatchObject({ name });
      }
    },
  );

  it("has an option with a value in all commands that have it, or in none", () => {
    const kinds = new Map<string, string>();
    for (const { name, options } of [{ name: "everywhere", options: allEverywhere }, ...table]) {
      for (const [option, { value, short }] of Object.entries(options ?? {})) {
        const kind = `${value === undefined ? "flag" : "value"} ${short ?? ""}`;
        expect([name, option, kinds.get(option) ?? kind]).toEqual([name, option, kind]);
        kinds.set(option, kind);
      }
    }
  });
});
