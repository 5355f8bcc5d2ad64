import { createRequire } from "node:module";
import { loadCompiled } from "./compiled.js";
import { versionText } from "./version-text.js";

const args = process.argv.slice(2);

// Handled before any other code is loaded.
if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
  process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
    if (code === "EPIPE") process.exit(0);
    process.stderr.write(`mote: cannot write stdout: ${code}\n`, () => process.exit(1));
  });
  process.stdout.write(`${versionText()}\n`);
} else {
  const program: typeof import("./start.js") = loadCompiled(new URL("mote.cjs", import.meta.url), {
    require: createRequire(import.meta.url),
    part: args[0] ?? "",
  });
  void program.start(args);
}
