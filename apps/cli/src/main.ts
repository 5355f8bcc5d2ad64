import { createRequire } from "node:module";

const args = process.argv.slice(2);

// Answered before anything else is read.
if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) process.stdout.write(`${MOTE_VERSION}\n`);
else {
  const { runCompiled } = await import("./compiled.js");
  const program: typeof import("./start.js") = runCompiled(new URL("mote.cjs", import.meta.url), {
    require: createRequire(import.meta.url),
    part: args[0] ?? "",
  });
  await program.start(args);
}
