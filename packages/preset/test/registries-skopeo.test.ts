import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { addImage, needs, registryKinds, startSimulatedRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const wanted = needs("skopeo");

/** Registries to which skopeo cannot push, according to the simulated reports. */
const refused: Readonly<Record<string, RegExp>> = {
  // https://github.com/project-zot/zot/issues/3538: it ignores a challenge if `/v2/` had none.
  zot: /unauthorized/,
  // https://github.com/sonatype/nexus-public/issues/967: it does not check whether the blob is stored nevertheless.
  Nexus: /blob upload invalid/,
  // https://github.com/Azure/azure-cli/issues/24886: it does not repeat requests to a token service.
  "Azure Container Registry": /too many requests/,
};

// Registries that only mote could use would show nothing.
describe.skipIf(wanted !== "")(`skopeo can use the simulated registries${wanted}`, () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "mote-bench-skopeo-"));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it.concurrent.each(registryKinds.map((kind) => [kind.name, kind] as const))("%s", async (_name, kind) => {
    await using registry = await startSimulatedRegistry(kind);
    const folder = await mkdtemp(join(root, "case-"));
    const { login } = kind;
    const logins = login === undefined ? ["--no-creds"] : ["--creds", `${login.username}:${login.password}`];
    const skopeo = (side: "src" | "dest", from: string, to: string) =>
      run("skopeo", [
        "copy",
        "--insecure-policy",
        "--preserve-digests",
        `--${side}-tls-verify=false`,
        ...logins.map((word) => word.replace(/^--/, `--${side}-`)),
        from,
        to,
      ]);
    const { manifest } = addImage(registry.repositories, "team/app", { tag: "1", layers: [1000, 300_000] });
    await skopeo("src", `docker://${registry.host}/team/app:1`, `oci:${folder}/layout:1`);
    const pushing = skopeo("dest", `oci:${folder}/layout:1`, `docker://${registry.host}/team/pushed:1`);
    const message = refused[kind.name];
    if (message !== undefined) {
      await expect(pushing).rejects.toThrow(message);
      return;
    }
    await pushing;
    expect(registry.repositories.manifest("team/pushed", "1")?.digest).toBe(manifest.digest);
  });
});
