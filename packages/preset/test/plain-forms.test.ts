import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { digestBytes, readMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { expect, it } from "vitest";

it("records the uncompressed digest of a layer when it is unpacked, and not when it is copied", async () => {
  const dir = await mkdtemp(join(tmpdir(), "mote-plain-forms-"));
  try {
    await mkdir(join(dir, "data"));
    await writeFile(join(dir, "data", "rows.csv"), "a,b\n".repeat(1000));
    const layout = `oci:${join(dir, "layout")}:1`;
    {
      await using sender = await openMote({ dir: join(dir, "sender") });
      await sender.pushFiles([{ path: join(dir, "data") }], layout);
    }
    await using mote = await openMote({ dir: join(dir, "cache") });
    const report = await mote.pull(layout, `oci:${join(dir, "copy")}:1`);
    const manifestOf = report.refs[0]?.descriptor.digest ?? digestBytes(new Uint8Array());
    const manifest = JSON.parse(new TextDecoder().decode(await readMote(mote.cache, manifestOf, { maxBytes: 1e6 })));
    const { digest } = manifest.layers[0];
    expect(await mote.bic.untransformedDigest(digest)).toBeUndefined();
    await mote.pull(layout, join(dir, "files/"));
    const plain = digestBytes(gunzipSync(await readMote(mote.cache, digest, { maxBytes: 1e6 })));
    expect(await mote.bic.untransformedDigest(digest)).toBe(plain);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
