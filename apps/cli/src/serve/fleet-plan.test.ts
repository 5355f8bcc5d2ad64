import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { UsageError } from "../input/usage-error.js";
import { planFleet, readFleetSecret } from "./fleet-plan.js";

const root = mkdtempSync(join(tmpdir(), "mote-fleet-plan-"));
afterAll(() => rmSync(root, { recursive: true }));

const advertise = "http://10.0.0.7:5000";
const upstreams = ["docker.io"];

describe("the plan of a member of a fleet", () => {
  it("needs a bucket or a Redis", () => {
    expect(planFleet({ advertise, bic: "redis://redis" }, { upstreams })).toMatchObject({ advertise });
    expect(planFleet({ advertise, tier: "s3://bucket", fleetSecret: "file" }, { upstreams })).toEqual({
      advertise,
      secretFile: "file",
    });
    expect(planFleet({}, { upstreams })).toEqual({});
  });

  it.each([
    ["no shared store", { advertise }, upstreams],
    ["a tier other than a bucket", { advertise, tier: "docker://registry.example/cache" }, upstreams],
    ["no upstream", { advertise, bic: "redis://redis" }, []],
    ["a secret without an advertised URL", { fleetSecret: "file" }, upstreams],
  ])("rejects %s", (_, settings, named) => {
    expect(() => planFleet(settings, { upstreams: named })).toThrow(UsageError);
  });
});

describe("the secret of a fleet", () => {
  const write = (text: string, mode = 0o600) => {
    const path = join(root, "secret");
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const secret = "0123456789abcdef0123456789abcdef";

  it("is the text of its file", () => {
    const warnings: string[] = [];
    expect(readFleetSecret(write(`${secret}\n`), (message) => warnings.push(message))).toBe(secret);
    expect(warnings).toEqual([]);
  });

  it.each(["", "\n", "short", `${secret} ${secret}`, `${secret}\u00e9`, secret.repeat(100)])("is not %j", (text) => {
    const path = write(text);
    expect(() => readFleetSecret(path, () => {})).toThrow(UsageError);
  });

  it("is not in a file that does not exist, or a directory", () => {
    for (const path of [join(root, "missing"), root]) expect(() => readFleetSecret(path, () => {})).toThrow(UsageError);
  });

  it.skipIf(process.platform === "win32")("causes a warning if others can read it", () => {
    const warnings: string[] = [];
    readFleetSecret(write(secret, 0o644), (message) => warnings.push(message));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).not.toContain(secret);
  });
});
