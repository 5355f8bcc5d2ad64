import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";

const built = fileURLToPath(new URL("../dist/index.js", import.meta.url));
const run = promisify(execFile);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-layout-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const writer = `
  import { createHash } from "node:crypto";
  const [built, layout, who] = process.argv.slice(1);
  const { LayoutDestination } = await import(built);
  const destination = new LayoutDestination(layout);
  for (let at = 0; at < 10; at++) {
    const bytes = new TextEncoder().encode(JSON.stringify({ who, at: at % 3 }));
    const digest = "sha256:" + createHash("sha256").update(bytes).digest("hex");
    const descriptor = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: bytes.byteLength };
    await destination.manifest(descriptor, bytes);
    await destination.tag(who + "-" + at, descriptor);
    await destination.tag("shared", descriptor);
  }
`;

it.skipIf(!existsSync(built))(
  "eight processes that concurrently create and tag one layout lose no entry (skipped where packages/layout is not built)",
  async () => {
    const layout = join(dir, "layout");
    const processes = ["a", "b", "c", "d", "e", "f", "g", "h"].map((who) =>
      run(process.execPath, ["--input-type=module", "--eval", writer, built, layout, who]),
    );
    await Promise.all(processes);
    const { manifests } = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
    const names = manifests.map(
      (entry: { annotations: Record<string, string> }) => entry.annotations["org.opencontainers.image.ref.name"],
    );
    expect(new Set(names).size).toBe(81);
    expect(names).toHaveLength(81);
    expect(readdirSync(layout).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
    expect(readdirSync(join(layout, "blobs", "sha256"))).toHaveLength(24);
  },
);
