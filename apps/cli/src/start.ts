import { manPage } from "./help/man-page.js";
import { isClosedByReader, stdoutError } from "./output/stdout-error.js";
import { runProgram } from "./program.js";
import { type Session, startSession } from "./session.js";
import { table } from "./table.js";

export async function start(args: readonly string[]): Promise<void> {
  if (args[0] === "__complete" || args[0] === "__man") return startForShell(args[0], args.slice(1));
  tightenUmask();
  // DNS lookups cannot be aborted: even the exit of the process waits for the system's resolver, 10 s or more.
  process.env.RES_OPTIONS ??= "timeout:2 attempts:1";
  const session = startSession();
  let failing: Promise<number> | undefined;
  const fail = (error: unknown) => {
    failing ??= report(error, args, session);
    return failing;
  };
  process.stdout.on("error", async (error) => {
    if (failing !== undefined) return;
    if (isClosedByReader(error)) process.exit(0);
    process.exit(await fail(stdoutError(error)));
  });
  // A closed stderr must not affect the result.
  process.stderr.on("error", () => {});
  process.on("uncaughtException", async (error) => process.exit(await fail(error)));
  try {
    await runProgram(args, session);
  } catch (error) {
    process.exitCode = await fail(error);
  }
  endSoon(session);
}

/** Starts what completions and the manual of the shell call. */
async function startForShell(command: "__complete" | "__man", args: readonly string[]): Promise<void> {
  process.stdout.on("error", () => process.exit(1));
  if (command === "__complete") return (await import("./commands/complete.js")).completeForShell(args);
  process.stdout.write(manPage(table, MOTE_VERSION));
}

async function report(error: unknown, args: readonly string[], session: Session): Promise<number> {
  const { reportFailure } = await import("./output/failure.js");
  const { signal, afterwards, cache, color } = session;
  const json = args.some((word) => /^--json(=|$)/.test(word));
  return reportFailure(error, { json, cache, color, ...(signal.aborted ? { interrupted: afterwards } : {}) });
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
