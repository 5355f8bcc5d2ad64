import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Context } from "./context.js";
import type { Interruption } from "./interruption.js";
import { createOutput } from "./output.js";
import { type CommandLine, parseCommandLine } from "./parse.js";
import { table } from "./table.js";
import { UsageError } from "./usage-error.js";

/** Does what the command line says. @throws UsageError, and what the command throws */
export async function runProgram(args: readonly string[], interruption: Interruption): Promise<void> {
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
  const context = createContext(line, interruption.signal);
  const { out } = context;
  interruption.afterwards = command.afterInterrupt ?? "";
  interruption.onInterrupt = ({ isLast }) => {
    if (isLast) out.live?.clear();
    else if (command.afterInterrupt !== undefined) out.note("Stopping; Ctrl-C again stops at once.");
  };
  await command.run(context, line.values, line.options);
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
  const { json } = everywhere;
  const out = createOutput({ json: json === "events" ? json : json === true, quiet: everywhere.quiet === true });
  return { out, dir: resolve(cache), plainHttp: everywhere["plain-http"] === true, signal };
}

/** `$XDG_CACHE_HOME/mote`, else `~/.cache/mote`. */
function defaultCacheDir(): string {
  const base = process.env.XDG_CACHE_HOME;
  return join(base && base !== "" ? base : join(homedir(), ".cache"), "mote");
}
