// A build script: `node build-base.mjs docker://HOST/NAME:TAG` pulls a base image into the OCI image layout build/base and writes its digest to
// build/base.digest. Content that other builds on this machine have fetched is linked. Any number of builds can run at the same time. If the
// registry is down, the last image with that name is used.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { openMote } from "@mote/preset";

const [reference, out = "build"] = process.argv.slice(2);
if (reference === undefined) throw new TypeError("usage: build-base.mjs REFERENCE [FOLDER]");

const dir = process.env.MOTE_CACHE_DIR ?? join(homedir(), ".cache", "mote");
const quiet = () => {};
const logger = { debug: quiet, info: quiet, warn: console.warn, error: console.error };
const mote = await openMote({ dir, maxSize: 20e9, logger });
try {
  await mkdir(out, { recursive: true });
  await rm(join(out, "base"), { recursive: true, force: true });
  const report = await mote.pull(reference, `oci:${join(out, "base")}:base`);
  const [image] = report.refs;
  await writeFile(join(out, "base.digest"), `${image.descriptor.digest}\n`);
  console.log(
    `base image ${image.descriptor.digest}: ${report.fetched.bytes} bytes fetched, ${report.linked.bytes} linked`,
  );
} finally {
  await mote.close();
}
