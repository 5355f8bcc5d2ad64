import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registrySuite } from "@mote/conformance";
import { FileCache } from "@mote/fs";
import { afterAll, describe, expect, it } from "vitest";
import { serve } from "../src/index.js";

const folder = mkdtempSync(join(tmpdir(), "mote-registry-"));
const cache = new FileCache(folder, { durability: "visible" });
const server = serve({ source: cache, tags: cache.tags, push: cache });
afterAll(async () => {
  await (await server).close();
  rmSync(folder, { recursive: true });
});

describe("a server with pushes", () => {
  registrySuite({ describe, it, expect }, () => server);
});
