// The same packages from JavaScript modules.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes } from "@mote/core";
import { openMote } from "@mote/preset";
import { formatRef, parseRef } from "@mote/ref";

const dir = await mkdtemp(join(tmpdir(), "mote-consumer-"));
const mote = await openMote({ dir });
const { digest } = await mote.addFile(process.argv[1]);
assert.equal(await mote.cache.moteExists(digest), true);
assert.equal(await mote.cache.moteExists(digestBytes(new Uint8Array())), false);
await mote.close();
await rm(dir, { recursive: true });
assert.equal(formatRef(parseRef("alpine")), "docker.io/library/alpine:latest");
console.log("ES modules: works");
