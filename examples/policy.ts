// A policy: `node policy.ts REFERENCE` pulls only images that name their source. The hook is called before anything is moved or tagged; if it
// throws, the pull is aborted.
import { MoteError } from "@mote/core";
import { openMote, type PullOptions } from "@mote/preset";

const [reference, dir = "image-cache"] = process.argv.slice(2);
if (reference === undefined) throw new TypeError("usage: policy.ts REFERENCE [CACHE-FOLDER]");

/** Can check signatures as well: `context.bytes` is the signed manifest. */
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
