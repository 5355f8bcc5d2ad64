import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { examineCredentials } from "./examine-credentials.js";

let home: string;
let path: string;
const secret = "hunter2";
const auth = Buffer.from(`me:${secret}`).toString("base64");

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "mote-credentials-"));
  await mkdir(join(home, ".docker"));
  path = join(home, ".docker", "config.json");
});

afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

const examine = () => examineCredentials({ HOME: home, PATH: join(home, "bin") });

it("reports registries, file permissions and helpers of a file, and no secrets", async () => {
  expect(await examine()).toEqual([]);
  const config = { auths: { "r.example": { auth } }, credsStore: "pass", credHelpers: { "gcr.io": "gcloud" } };
  await writeFile(path, JSON.stringify(config), { mode: 0o644 });
  await chmod(path, 0o644);
  await mkdir(join(home, "bin"));
  await writeFile(join(home, "bin", "docker-credential-gcloud"), "#!/bin/sh\n", { mode: 0o755 });
  const findings = await examine();
  expect(findings).toMatchObject([
    {
      path,
      registries: ["r.example"],
      mode: 0o644,
      helpers: [
        { program: "docker-credential-pass", isFound: false },
        { program: "docker-credential-gcloud", isFound: true },
      ],
    },
  ]);
  expect(JSON.stringify(findings)).not.toContain(auth);
});

it("reports why a file cannot be read, without its content", async () => {
  await writeFile(path, `{"auths": {"r.example": {"auth": "${auth}"`);
  const [found] = await examine();
  expect(found?.error?.code).toBe("MOTE_CONFIG");
  expect(`${found?.error?.message}`).not.toContain(auth);
});
