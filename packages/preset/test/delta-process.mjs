/**
 * Pulls an image with deltas: `node delta-process.mjs ROOT REFERENCE`. Prints `ready`, and begins when it gets a line. Prints the rebuilt blobs and the warnings
 * of the report as JSON.
 */
import { once } from "node:events";
import { openMote } from "@mote/preset";

const [, , dir, reference] = process.argv;
const mote = await openMote({ dir });
console.log("ready");
await once(process.stdin, "data");
process.stdin.destroy();
const { rebuilt, warnings } = await mote.pull(reference, undefined, { delta: "always" });
await mote[Symbol.asyncDispose]();
console.log(JSON.stringify({ rebuilt: rebuilt.count, warnings }));
