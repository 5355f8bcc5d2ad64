import { manPage } from "./help/man-page.js";
import { runProgram } from "./program.js";
import { type Session, startSession } from "./session.js";
import { table } from "./table.js";

export async function start(args: readonly string[]): Promise<void> {
  if (args[0] === "__complete") return (await import("./commands/complete.js")).completeForShell(args.slice(1));
  if (args[0] === "__man") return void process.stdout.write(manPage(table, MOTE_VERSION));
  tightenUmask();
  // DNS lookups cannot be aborted: even the exit of the process waits for the system's resolver, 10 s or more.
  process.env.RES_OPTIONS ??= "timeout:2 attempts:1";
  const session = startSession();
  // A reader of stdout may stop early (`mote ls | head`). A closed stderr must not affect the result.
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

const lingerMs = 200;

/** Returns whether a slow reader has yet to take what was written: the exit of the process would cut it off. */
function isWriting({ writableLength, errored, destroyed }: NodeJS.WriteStream): boolean {
  return writableLength > 0 && !errored && !destroyed;
}

/** Ends the process soon, even if connections to registries are still open. */
function endSoon({ signal }: Pick<Session, "signal">): void {
  const end = () => {
    if ([process.stdout, process.stderr].some(isWriting)) return endSoon({ signal });
    if (!signal.aborted) process.exit();
    // The default action of SIGINT ends the process even during a DNS lookup.
    process.removeAllListeners("SIGINT");
    process.kill(process.pid, "SIGINT");
  };
  setTimeout(end, lingerMs).unref();
}

/** Masks write permission for others, and for the group if others had it: not everyone may write to the cache or a destination. */
function tightenUmask(): void {
  const umask = process.umask(0o077);
  process.umask((umask & 0o002) === 0 ? umask | 0o022 : umask);
}
