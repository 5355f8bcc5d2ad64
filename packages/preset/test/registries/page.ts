import type { Check, RegistryKind } from "@mote/testbed";
import { markdownTable } from "../../../../apps/bench/src/markdown-table.js";

export type Results = ReadonlyMap<RegistryKind, ReadonlyMap<Check, string>>;

/** `docs/reference/registries.md`. `results`: what each check has returned. */
export function registriesPage(kinds: readonly RegistryKind[], checks: readonly Check[], results: Results): string {
  const columns = ["registry", ...checks].map((head) => ({ head }));
  const rows = kinds.map((kind) => [kind.name, ...checks.map((check) => results.get(kind)?.get(check) ?? "failed")]);
  const missing = kinds.flatMap(({ name, lacks }) =>
    checks.flatMap((check) => (lacks[check] === undefined ? [] : [[name, check, lacks[check]]])),
  );
  const behaviours = kinds.flatMap(({ name, behaviours }) =>
    behaviours.map((one) => [one.name, name, `<${one.source}>`]),
  );
  return [
    "# Registries",
    "",
    "<!-- Made from packages/testbed/src/registries by packages/preset/test/registries.test.ts: see CONTRIBUTING.md. -->",
    "",
    "## What was tried",
    "",
    ...markdownTable(columns, rows),
    "",
    "## What a registry does not offer",
    "",
    ...markdownTable([{ head: "registry" }, { head: "check" }, { head: "why" }], missing),
    "",
    "## How they behave",
    "",
    ...markdownTable([{ head: "behaviour" }, { head: "registry" }, { head: "source" }], behaviours),
    "",
  ].join("\n");
}
