import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Context } from "./context.js";
import { createOutput } from "./output.js";
import { type CommandLine, parseCommandLine } from "./parse.js";
import { table } from "./table.js";
import { UsageError } from "./usage-error.js";

interface ProgramOptions {
  /** Aborts when the user wants to stop. */
  readonly signal: AbortSignal;
}

/** Does what the command line says. @throws UsageError, and what the command throws */
export async function runProgram(args: readonly string[], { signal }: ProgramOptions): Promise<void> {
  const isHelp = args[0] === "help";
  const line = parseCommandLine(isHelp ? [...args.slice(1), "--help"] : args, table);
  const { command, everywhere } = line;
  if (everywhere.version) {
    process.stdout.write(`${MOTE_VERSION}\n`);
    return;
  }
  if (typeof command !== "object" || everywhere.help) {
    const isAsked = everywhere.help === true;
    (isAsked ? process.stdout : process.stderr).write(await help(command));
    if (!isAsked) process.exitCode = 2;
    return;
  }
  await command.run(createContext(line, signal), line.values, line.options);
}

async function help(command: CommandLine["command"]): Promise<string> {
  const [{ commandHelp, programHelp }, { createStyle, isColored }] = await Promise.all([
    import("./help.js"),
    import("./terminal-text.js"),
  ]);
  const style = createStyle(isColored(process.stdout, process.env));
  const width = Math.min(100, process.stdout.columns ?? 80);
  if (typeof command === "object") return commandHelp(command, { width, style });
  return programHelp(table, { width, style, ...(command === undefined ? {} : { of: command }) });
}

function createContext({ everywhere }: CommandLine, signal: AbortSignal): Context {
  const cache = everywhere.cache ?? process.env.MOTE_CACHE_DIR ?? defaultCacheDir();
  if (typeof cache !== "string" || cache === "") throw new UsageError("--cache wants a folder");
  const out = createOutput({ json: everywhere.json === true, quiet: everywhere.quiet === true });
  return { out, dir: resolve(cache), plainHttp: everywhere["plain-http"] === true, signal };
}

/** `$XDG_CACHE_HOME/mote`, else `~/.cache/mote`. */
function defaultCacheDir(): string {
  const base = process.env.XDG_CACHE_HOME;
  return join(base && base !== "" ? base : join(homedir(), ".cache"), "mote");
}
