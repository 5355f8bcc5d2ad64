import { manPage } from "./help/man-page.js";
import { runProgram } from "./program.js";
import { type Session, startSession } from "./session.js";
import { table } from "./table.js";

/** Runs the command line to its end, and sets the exit status. */
export async function start(args: readonly string[]): Promise<void> {
  if (args[0] === "__complete") return (await import("./commands/complete.js")).completeForShell(args.slice(1));
  if (args[0] === "__man") return void process.stdout.write(manPage(table, MOTE_VERSION));
  tightenUmask();
  boundNameLookups();
  const session = startSession();
  // Who reads our output may stop when he has seen enough (`mote ls | head`); who reads the notes may, too, and misses no result.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  process.stderr.on("error", () => {});
  const fail = async (error: unknown) => {
    const { reportFailure } = await import("./output/failure.js");
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
  endSoon(session);
}

const resolverOptions = "timeout:2 attempts:1";

/** Nothing ends a name look-up that is under way, not even the end of the process: it waits for the system's resolver, 10 s or more. */
function boundNameLookups(): void {
  process.env.RES_OPTIONS ??= resolverOptions;
}

const lingerMs = 200;

/** All is done, and what a registry still owes is not wanted: it does not keep the process. */
function endSoon({ signal }: Pick<Session, "signal">): void {
  const end = () => {
    if (process.stdout.writableLength > 0) return endSoon({ signal });
    if (!signal.aborted) process.exit();
    // As its default action would have: at once, whatever a resolver is doing.
    process.removeAllListeners("SIGINT");
    process.kill(process.pid, "SIGINT");
  };
  setTimeout(end, lingerMs).unref();
}

/** A umask that lets everybody write is nobody's intention: files of the cache, of layouts and of folders are not left open by it. */
function tightenUmask(): void {
  const umask = process.umask(0o077);
  process.umask((umask & 0o002) === 0 ? umask | 0o022 : umask);
}
