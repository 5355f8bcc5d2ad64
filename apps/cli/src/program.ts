import { statSync } from "node:fs";
import type { Context } from "./context.js";
import { commandHelp, programHelp } from "./help/help.js";
import { type CommandLine, parseCommandLine } from "./input/parse.js";
import { UsageError } from "./input/usage-error.js";
import { createOutput } from "./output/output.js";
import { createStyle, isColored, toTerminal } from "./output/terminal-text.js";
import type { Session } from "./session.js";
import { isBucket } from "./settings/kinds.js";
import { loadSettings } from "./settings/load-settings.js";
import { table } from "./table.js";
import { versionText } from "./version-text.js";

/** Runs a command line. @throws UsageError, and the errors of the command */
export async function runProgram(args: readonly string[], session: Session): Promise<void> {
  const isHelp = args[0] === "help";
  const line = parseCommandLine(isHelp ? [...args.slice(1), "--help"] : args, table);
  const { command, everywhere } = line;
  if (everywhere.version) {
    process.stdout.write(`${versionText()}\n`);
    return;
  }
  if (typeof command !== "object" || everywhere.help) {
    const isAsked = everywhere.help === true;
    (isAsked ? process.stdout : process.stderr).write((await help(command)).split("\n").map(toTerminal).join("\n"));
    if (!isAsked) process.exitCode = 2;
    return;
  }
  const context = await createContext(line, session);
  const { out } = context;
  session.afterwards = command.afterInterrupt ?? "";
  session.onInterrupt = ({ isLast }) => {
    if (isLast) out.live?.clear();
    else if (command.afterInterrupt !== undefined) out.note("Stopping … Press Ctrl-C again to stop immediately.");
  };
  const { dir, loaded } = context;
  if (dir !== undefined && isBucket(dir) && loaded.origins.tier.layer === "flag")
    throw new UsageError("cannot combine --tier with a cache in a bucket; choose a directory with --cache DIR");
  if (command.cacheFolder === undefined && dir !== undefined && !isBucket(dir) && !isFolder(dir)) {
    // Imported only here, because the import takes longer than the check above.
    const { checkCacheFolder } = await import("./wire.js");
    await checkCacheFolder(dir);
  }
  await command.run(context, line.values, line.options);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

async function help(command: CommandLine["command"]): Promise<string> {
  const style = createStyle(isColored(process.stdout, process.env));
  const width = Math.min(100, process.stdout.columns ?? 80);
  if (typeof command === "object") return commandHelp(command, { width, style });
  const { transports } = await import("./wire.js");
  const references = transports.flatMap(({ usage }) => (usage ? [[usage.form, usage.meaning] as const] : []));
  return programHelp(table, { width, style, references, ...(command === undefined ? {} : { of: command }) });
}

async function createContext({ everywhere, options }: CommandLine, session: Session): Promise<Context> {
  const { env } = process;
  const loaded = await loadSettings({ env, cwd: process.cwd(), flags: { ...options, ...everywhere } });
  const { settings } = loaded;
  session.color = settings.color;
  session.cache = settings.cache;
  // Credentials are looked up by this variable, also in the processes that serve starts.
  if (settings.authFile !== undefined) process.env.REGISTRY_AUTH_FILE = settings.authFile;
  const { json, quiet } = everywhere;
  const out = createOutput({
    json: json === "events" ? json : json === true,
    quiet: quiet === true,
    color: settings.color,
  });
  return { out, dir: settings.cache, settings, loaded, signal: session.signal };
}
