import { reportFailure } from "./output.js";
import { runProgram } from "./program.js";

/** Runs the command line to its end, and sets the exit status. */
export async function start(args: readonly string[]): Promise<void> {
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

  try {
    await runProgram(args, { signal: interrupted.signal });
  } catch (error) {
    const status = reportFailure(error, { json: args.includes("--json"), quiet: false });
    process.exitCode = interrupted.signal.aborted ? 130 : status;
  }
}
