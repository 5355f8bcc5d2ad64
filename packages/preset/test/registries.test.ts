import { type Check, type RegistryKind, registryKinds } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Logins, openBench, useOwnLogins } from "./registries/bench.js";
import { checks, expectNoMisuse } from "./registries/checks.js";
import { registriesPage } from "./registries/page.js";

const names = Object.keys(checks).filter((name): name is Check => name in checks);
const results = new Map(registryKinds.map((kind): [RegistryKind, Map<Check, string>] => [kind, new Map()]));

let logins: Logins;
beforeAll(async () => {
  logins = await useOwnLogins();
});
afterAll(() => logins[Symbol.asyncDispose]());

// Concurrently, because they mostly wait.
describe.concurrent.each(registryKinds.map((kind) => [kind.name, kind] as const))("with %s", (_name, kind) => {
  const offered = names.filter((check) => kind.lacks[check] === undefined);
  for (const check of names) if (kind.lacks[check] !== undefined) results.get(kind)?.set(check, "not offered");

  it.each(offered)("%s", async (check) => {
    await using bench = await openBench(kind, logins);
    const result = await checks[check](bench);
    expectNoMisuse(bench.registry);
    results.get(kind)?.set(check, result);
  });
});

it("docs/reference/registries.md has the results", async () => {
  await expect(registriesPage(registryKinds, names, results)).toMatchFileSnapshot(
    "../../../docs/reference/registries.md",
  );
});
