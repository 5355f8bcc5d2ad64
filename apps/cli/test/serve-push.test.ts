import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes } from "@mote/core";
import { afterAll, describe, expect, it } from "vitest";
import { runMote } from "./run-mote.js";
import { startServe } from "./start-serve.js";

const root = mkdtempSync(join(tmpdir(), "mote-serve-push-"));
afterAll(() => rmSync(root, { recursive: true }));
const file = join(root, "model.bin");
writeFileSync(file, "weights");
const push = (port: number) =>
  runMote(["push", file, `docker://127.0.0.1:${port}/team/model:1`, "--cache", join(root, "client")]);

describe("mote serve --push", () => {
  it("takes what mote pushes, serves it, and deletes it", async () => {
    const { url, port } = await startServe(join(root, "one"), ["--push"]);
    expect(await push(port)).toMatchObject({ status: 0 });
    const image = `docker://127.0.0.1:${port}/team/model:1`;
    const folder = join(root, "pulled/");
    expect(await runMote(["pull", image, folder, "--cache", join(root, "other")])).toMatchObject({ status: 0 });
    const deleted = await fetch(`${url}/v2/team/model/manifests/1`, { method: "DELETE" });
    expect(deleted.status).toBe(202);
    expect((await fetch(`${url}/v2/team/model/manifests/1`)).status).toBe(404);
  });

  it("continues an upload after it was killed in the middle of it", async () => {
    const dir = join(root, "killed");
    const bytes = new Uint8Array(3_000_000).fill(5);
    const first = await startServe(dir, ["--push"]);
    const begun = await fetch(`${first.url}/v2/team/app/blobs/uploads/`, { method: "POST" });
    const location = begun.headers.get("location") ?? "";
    const patch = request(new URL(location, first.url), { method: "PATCH", headers: { "content-length": "3000000" } });
    patch.on("error", () => {});
    patch.write(bytes.subarray(0, 1_000_000));
    const endOf = async (url: string) => (await fetch(new URL(location, url))).headers.get("range");
    while ((await endOf(first.url)) !== "0-999999");
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    const { url } = await startServe(dir, ["--push"]);
    expect(await endOf(url)).toBe("0-999999");
    const put = await fetch(new URL(`${location}?digest=${digestBytes(bytes)}`, url), {
      method: "PUT",
      headers: { "content-range": "1000000-2999999" },
      body: bytes.subarray(1_000_000),
    });
    expect(put.status).toBe(201);
    expect((await runMote(["verify", "--cache", dir])).status).toBe(0);
  });

  it("is needed for pushes", async () => {
    const { port } = await startServe(join(root, "none"));
    const { status, stderr } = await push(port);
    expect([status, stderr.includes("405")]).toEqual([1, true]);
  });

  it("needs logins beyond loopback", async () => {
    const args = ["serve", "--push", "--host", "0.0.0.0", "--anonymous-pull", "--cache", join(root, "none")];
    const { status, stderr } = await runMote(args);
    expect([status, stderr.includes("--htpasswd")]).toEqual([2, true]);
  });
});
