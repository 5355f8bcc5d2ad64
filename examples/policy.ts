// A policy of your own: `node policy.ts REFERENCE` pulls only images that say where they were built from. The hook is asked before
// anything is moved and before any name is set; what it throws ends the pull.
import { MoteError } from "@mote/core";
import { openMote, type PullOptions } from "@mote/preset";

const [reference, dir = "image-cache"] = process.argv.slice(2);
if (reference === undefined) throw new TypeError("usage: policy.ts REFERENCE [CACHE-FOLDER]");

/** A check of signatures belongs here, too: `context.bytes` is the manifest exactly as it is signed. */
const verify: PullOptions["verify"] = ({ digest }, manifest, context) => {
  if (manifest.annotations?.["org.opencontainers.image.source"] !== undefined) return;
  throw new MoteError("MOTE_FORBIDDEN", `cannot pull ${context.resolved.digest}: ${digest} does not name its source`);
};

await using mote = await openMote({ dir });
try {
  const { refs } = await mote.pull(reference, undefined, { verify });
  console.log(refs[0]?.reference);
} catch (error) {
  if (!MoteError.isInstance(error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
