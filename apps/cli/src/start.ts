import { manPage } from "./man-page.js";
import { runProgram } from "./program.js";
import { startSession } from "./session.js";
import { table } from "./table.js";

/** Runs the command line to its end, and sets the exit status. */
export async function start(args: readonly string[]): Promise<void> {
  if (args[0] === "__complete") return (await import("./commands/complete.js")).answerShell(args.slice(1));
  if (args[0] === "__man") return void process.stdout.write(manPage(table, MOTE_VERSION));
  tightenUmask();
  const session = startSession();
  // Who reads our output may stop when he has seen enough (`mote ls | head`); who reads the notes may, too, and misses no result.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  process.stderr.on("error", () => {});
  const fail = async (error: unknown) => {
    const { reportFailure } = await import("./failure.js");
    const { signal, afterwards, cache, color } = session;
    const json = args.some((word) => /^--json(=|$)/.test(word));
    return reportFailure(error, { json, cache, color, ...(signal.aborted ? { interrupted: afterwards } : {}) });
  };
  process.on("uncaughtException", async (error) => process.exit(await fail(error)));
  try {
    await runProgram(args, session);
  } catch (error) {
    process.exitCode = await fail(error);
  }
}

/** A umask that lets everybody write is nobody's intention: files of the cache, of layouts and of folders are not left open by it. */
function tightenUmask(): void {
  const umask = process.umask(0o077);
  process.umask((umask & 0o002) === 0 ? umask | 0o022 : umask);
}
