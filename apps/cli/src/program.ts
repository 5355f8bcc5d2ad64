import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { Command, CommanderError, Option } from "commander";
import type { Context } from "./context.js";
import type { Output, OutputOptions } from "./output.js";
import { UsageError } from "./usage-error.js";

interface ProgramParts {
  readonly signal: AbortSignal;
  createOutput(options: OutputOptions): Output;
}

/** The command line: its words, their help, and which file does what they say. */
export function createProgram(parts: ProgramParts): Command {
  const program = new Command("mote");
  program
    .description("A content-addressed, pull-through cache for OCI content.")
    .version(MOTE_VERSION, "-V, --version")
    .addOption(
      new Option("--cache <dir>", "the cache folder").env("MOTE_CACHE_DIR").default(defaultCacheDir(), "~/.cache/mote"),
    )
    .option("--json", "print one JSON document", false)
    .option("-q, --quiet", "no progress, no notes", false)
    .option("--plain-http", "speak HTTP, not TLS, to registries (on loopback addresses: always)", false)
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .addHelpText(
      "after",
      "\nPlaces: docker://HOST/NAME:TAG (or HOST/NAME:TAG), oci:DIR:TAG, oci-archive:FILE:TAG, docker-archive:FILE:NAME:TAG,\ndir:DIR. `mote ref REF` shows how one is read.",
    )
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => {} });

  const context = (): Context => {
    const { cache, json, quiet, plainHttp } = program.opts<{
      cache: string;
      json: boolean;
      quiet: boolean;
      plainHttp: boolean;
    }>();
    if (cache === "") throw new UsageError("--cache wants a folder");
    return { out: parts.createOutput({ json, quiet }), dir: resolve(cache), plainHttp, signal: parts.signal };
  };

  const platform = new Option("--platform <os/arch[/variant]>", "only this platform of an index; default: all of them");
  const concurrency = new Option("--concurrency <n>", "blobs moved at once");
  const referrers = new Option("--with-referrers", "what refers to the image too: signatures, attestations");

  program
    .command("pull")
    .description("move an image or an artifact's files through the cache to a destination; without one, into the cache")
    .argument("<src>", "where it is, such as docker://HOST/NAME:TAG")
    .argument(
      "[dest]",
      "where it goes, such as oci:DIR:TAG; or a plain folder, such as ./DIR/, for an artifact's files",
    )
    .addOption(platform)
    .addOption(referrers)
    .addOption(concurrency)
    .option("--force", "into a plain folder: replace files that are there with other content", false)
    .option("--link", "into a plain folder: read-only links to the cache's files where they cannot be cloned", false)
    .action(async (src, dest, options) => (await import("./commands/pull.js")).pull(context(), src, dest, options));

  program
    .command("push")
    .description("move a local image, or plain files and folders, through the cache to a registry")
    .usage("[options] <src...> <dest>")
    .argument(
      "<places...>",
      "where it is, such as oci:DIR:TAG, or files and folders, each as PATH or PATH:MEDIATYPE; at last where it goes",
    )
    .addOption(platform)
    .addOption(referrers)
    .addOption(concurrency)
    .option("--artifact-type <type>", "of files: what the artifact is, such as application/vnd.acme.model")
    .option("--annotation <key=value>", "of files: a note in the manifest; may be repeated", gather)
    .action(async (places, options) => (await import("./commands/push.js")).push(context(), places, options));

  program
    .command("copy")
    .description("move an image from anywhere through the cache to anywhere; within a registry, blobs are mounted")
    .argument("<src>")
    .argument("<dest>")
    .addOption(platform)
    .addOption(referrers)
    .addOption(concurrency)
    .action(async (src, dest, options) => (await import("./commands/pull.js")).pull(context(), src, dest, options));

  program
    .command("add")
    .description("copy files into the cache; prints their digests")
    .argument("<file...>")
    .action(async (files) => (await import("./commands/add.js")).add(context(), files));

  program
    .command("cat")
    .description("write a mote to stdout, verified")
    .argument("<digest>", "a digest, or the first digits of one")
    .action(async (digest) => (await import("./commands/cat.js")).cat(context(), digest));

  program
    .command("ls")
    .description("list what is kept")
    .option("--full", "whole digests", false)
    .action(async (options) => (await import("./commands/ls.js")).ls(context(), options));

  program
    .command("info")
    .description("what is known of a mote")
    .argument("<digest>", "a digest, or the first digits of one")
    .action(async (digest) => (await import("./commands/info.js")).info(context(), digest));

  program
    .command("rm")
    .description("remove motes by digest, and tags by name")
    .argument("<digest...>", "digests, or names of tags")
    .action(async (names) => (await import("./commands/rm.js")).rm(context(), names));

  program
    .command("prune")
    .description("remove what was least recently used")
    .option("--max-size <size>", "until this much is left, such as 10GB")
    .option("--older-than <time>", "what was not used for this long, such as 30d")
    .option("--dry-run", "say what would go; remove nothing", false)
    .action(async (options) => (await import("./commands/prune.js")).prune(context(), options));

  program
    .command("verify")
    .description("hash again all that is kept; set aside what is damaged")
    .option("--repair", "fetch what was damaged anew, from where it is known to be", false)
    .action(async (options) => (await import("./commands/verify.js")).verify(context(), options));

  program
    .command("du")
    .description("how much is kept")
    .action(async () => (await import("./commands/du.js")).du(context()));

  program
    .command("ref")
    .description("show how a reference is read")
    .argument("<ref>")
    .action(async (text) => (await import("./commands/ref.js")).ref(context(), text));

  program
    .command("locate")
    .description("where a mote is known to be")
    .argument("<digest>", "a digest, or the first digits of one that is kept here")
    .action(async (digest) => (await import("./commands/locate.js")).locate(context(), digest));

  program
    .command("serve")
    .description("serve the cache as an OCI registry, read-only, until interrupted")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <port>", "port to listen on; 0 picks a free one", "5000")
    .action(async (options) => (await import("./commands/serve.js")).serveCache(context(), options));

  program
    .command("demo")
    .description("see it work: serve real files on loopback, pull them cold and warm")
    .option("--dir <dir>", "a new folder to work in; default: one in the system's temporary folder")
    .action(async (options) => (await import("./commands/demo.js")).demo(context(), options));

  return program;
}

/** The values of an option that may be repeated. */
function gather(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Runs the program; what the parser finds wrong becomes a `UsageError`, help and version end well. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    if (error.code === "commander.help") {
      process.exitCode = 2;
      return;
    }
    throw new UsageError(`${error.message.replace(/^error: /, "")} (see mote --help)`);
  }
}

/** `$XDG_CACHE_HOME/mote`, else `~/.cache/mote`. */
function defaultCacheDir(): string {
  const base = process.env.XDG_CACHE_HOME;
  return join(base && base !== "" ? base : join(homedir(), ".cache"), "mote");
}
