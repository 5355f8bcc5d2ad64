import { createOutput, reportFailure } from "./output.js";
import { createProgram, runProgram } from "./program.js";

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => {
    interrupted.abort(new Error("interrupted"));
    // A second signal means it.
    process.once(name, () => process.exit(130));
  });
}

// Who reads our output may stop when he has seen enough (`mote ls | head`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const flags = { json: process.argv.includes("--json"), quiet: false };
try {
  await runProgram(createProgram({ signal: interrupted.signal, createOutput }), process.argv);
} catch (error) {
  const status = reportFailure(error, flags);
  process.exitCode = interrupted.signal.aborted ? 130 : status;
}
