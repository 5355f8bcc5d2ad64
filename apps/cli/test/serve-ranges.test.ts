import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RangeServer, startRangeServer } from "@mote/testbed";
import { afterEach, beforeEach, expect, it } from "vitest";
import { endServing, startServe } from "./start-serve.js";

const MiB = 1024 * 1024;
let root: string;
let upstream: RangeServer;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "mote-serve-ranges-"));
  // Only the first bytes of each response are sent.
  const reply = ({ range }: { readonly range: { readonly start: number } | undefined }) => ({
    stallAt: (range?.start ?? 0) + MiB,
  });
  upstream = await startRangeServer({ size: 1024 * MiB, reply });
}, 120_000);
afterEach(async () => {
  await endServing();
  await upstream[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

it.each([
  ["requests a large blob from its upstream in ranges", [], { start: 0, end: 32 * MiB }],
  ["requests it in one stream with --connections-per-blob 1", ["--connections-per-blob", "1"], undefined],
])("mote serve %s", async (_, options, expected) => {
  const [host] = upstream.image.split("/");
  const server = await startServe(root, ["--upstream", `up.example=http://${host}`, ...options]);
  const { body } = await fetch(`${server.url}/v2/a/b/blobs/${upstream.blob.digest}`);
  const first = await body?.getReader().read();
  expect(first?.value?.byteLength).toBeGreaterThan(0);
  expect(upstream.requests[0]?.range).toEqual(expected);
});
