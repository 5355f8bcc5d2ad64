import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addImage, type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";
import { afterAll, beforeAll, expect, it } from "vitest";
import { documents } from "../src/json/documents.js";
import { runMote } from "./run-mote.js";
import { startServe } from "./start-serve.js";

const root = mkdtempSync(join(tmpdir(), "mote-warm-"));
const list = join(root, "images.txt");
let upstream: SimulatedRegistry;

beforeAll(async () => {
  upstream = await startSimulatedRegistry({ name: "plain", behaviours: [], lacks: {} });
  addImage(upstream.repositories, "team/app", { tag: "1", layers: [2_000] });
});
afterAll(async () => {
  await upstream[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

it("has a mirror fetch the images of a list, and fails if one of them fails", async () => {
  const { url } = await startServe(join(root, "cache"), ["--upstream", `up.example=http://${upstream.host}`]);
  writeFileSync(list, `# nightly\nup.example/team/app:1 # the newest\n\nteam/app:2\nquay.io/team/app:1\n`);
  const { status, stdout, stderr } = await runMote(["serve", "warm", list, "--url", url, "--json"]);
  expect(status, stderr).toBe(1);
  const document = JSON.parse(stdout) as { readonly images: readonly { readonly image: string }[] };
  expect(documents["serve warm"]?.safeParse(document).error).toBeUndefined();
  const byImage = Object.fromEntries(document.images.map((one) => [one.image, one]));
  expect(byImage["up.example/team/app:1"]).toMatchObject({ fetchedBytes: expect.any(Number) });
  expect(byImage["team/app:2"]).toMatchObject({ error: { code: "MOTE_NOT_FOUND" } });
  expect(byImage["quay.io/team/app:1"]).toMatchObject({ error: { code: "MOTE_INVALID_REFERENCE" } });
  const requests = upstream.requests.length;
  writeFileSync(list, "team/app:1\n");
  const again = await runMote(["serve", "warm", list, "--url", url, "--platform", "linux/amd64"]);
  expect(again.status, again.stderr).toBe(0);
  expect(again.stdout).toMatch(/^team\/app:1 sha256:[0-9a-f]{64}\n$/);
  const { url: asked } = upstream.requests.at(-1) ?? {};
  expect([upstream.requests.length, asked?.pathname]).toEqual([requests + 1, "/v2/team/app/manifests/1"]);
});

it("a tag is refreshed on request, but not by a web page", async () => {
  const { url } = await startServe(join(root, "other"), ["--upstream", `up.example=http://${upstream.host}`]);
  const post = (path: string, headers = {}) => fetch(`${url}${path}`, { method: "POST", headers });
  const response = await post("/api/refresh?image=up.example/team/app:1");
  expect([response.status, await response.json()]).toEqual([
    200,
    { image: "up.example/team/app:1", digest: expect.stringMatching(/^sha256:/) },
  ]);
  expect((await post("/api/refresh?image=team/app:3")).status).toBe(404);
  expect((await post("/api/refresh?image=quay.io/app:1")).status).toBe(400);
  expect((await post("/api/refresh?image=team/app:1", { origin: "https://evil.example" })).status).toBe(403);
});

it("refuses a list on stdin that is longer than 1 MiB", async () => {
  const { status, stderr } = await runMote(["serve", "warm", "-", "--url", "http://127.0.0.1:9", "--json"], {
    input: "a".repeat(1024 * 1024 + 1),
  });
  expect([status, JSON.parse(stderr).error.code]).toEqual([1, "MOTE_TOO_LARGE"]);
});

it("says that the address is not that of a mirror", async () => {
  const { url } = await startServe(join(root, "third"));
  writeFileSync(list, "team/app:1\n");
  const { status, stderr } = await runMote(["serve", "warm", list, "--url", url]);
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^mote: /)]);
});
