import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { MoteError } from "@mote/core";
import type { Context } from "../context.js";
import { makeDemoImage } from "../demo-image.js";
import { formatBytes, formatDuration } from "../output/quantity.js";
import { openCache, type TransferReport } from "../wire.js";

const name = "demo/tools:1";

interface Pull {
  readonly command: string;
  readonly report: TransferReport;
  /** Duration of the complete process. */
  readonly durationMs: number;
  /** Requests to the registry, and the bytes that it sent. */
  readonly requests: number;
  readonly blobRequests: number;
  readonly bytesSent: number;
}

/** Serves an image of real files on loopback and pulls it twice, each time in a new process, as a user would. */
export async function demo(context: Context, options: { readonly dir?: string }): Promise<void> {
  const { out, signal } = context;
  const dir = await newFolder(options.dir);
  const cacheDir = join(dir, "cache");
  out.note("Creating an image from the files of this installation …");
  await using upstream = await openCache({ ...context, dir: join(dir, "upstream") });
  const image = await makeDemoImage(upstream.cache);
  await upstream.tags.tag(name, image);

  let requests: { readonly path: string; readonly bytesSent: number }[] = [];
  await using server = await upstream.serve({ port: 0, onRequest: (request) => requests.push(request) });
  const source = `docker://${server.host}:${server.port}/${name}`;
  out.note(`Serving it on ${server.url} from this process.`);
  out.note("");

  const pull = async (kind: "cold" | "warm"): Promise<Pull> => {
    const args = ["pull", source, `oci:${join(dir, kind)}:1`, "--cache", cacheDir];
    const command = `mote ${args.join(" ")}`;
    out.note(`$ ${command}`);
    requests = [];
    const start = performance.now();
    const stdout = await runMote([...args, "--json"], signal);
    const durationMs = performance.now() - start;
    return {
      command,
      report: JSON.parse(stdout),
      durationMs,
      requests: requests.length,
      blobRequests: requests.filter(({ path }) => path.includes("/blobs/")).length,
      bytesSent: requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0),
    };
  };
  const cold = await pull("cold");
  const warm = await pull("warm");

  out.result({ dir, image, cold, warm }, [
    ...(out.quiet ? [] : [""]),
    ...table(cold, warm),
    "",
    `Both layouts contain ${image.digest}.`,
    "",
    "Try next:",
    ...nextSteps(dir, cacheDir).map((line) => `  ${line}`),
  ]);
}

/** Runs mote in a new process. @throws MoteError with the error that the command reports */
async function runMote(args: readonly string[], signal: AbortSignal): Promise<string> {
  // Imported only here: an import above would slow down the start of every command.
  const { execFile } = await import("node:child_process");
  const run = promisify(execFile);
  try {
    return (await run(process.execPath, [mainFile(), ...args], { signal })).stdout;
  } catch (cause) {
    signal.throwIfAborted();
    const reported = cause instanceof Error && "stderr" in cause ? String(cause.stderr) : "";
    if (!reported.startsWith("{")) throw cause;
    const { error } = JSON.parse(reported);
    throw new MoteError(error.code, error.message, { cause });
  }
}

function table(cold: Pull, warm: Pull): string[] {
  const row = (label: string, of: (pull: Pull) => string) =>
    `${label.padEnd(26)}${of(cold).padStart(12)}${of(warm).padStart(12)}`;
  return [
    `${"".padEnd(26)}${"cold".padStart(12)}${"warm".padStart(12)}`,
    row("time", ({ report }) => formatDuration(report.durationMs)),
    row("time of the process", ({ durationMs }) => formatDuration(durationMs)),
    row("blob requests", ({ blobRequests }) => String(blobRequests)),
    row("bytes received", ({ bytesSent }) => formatBytes(bytesSent)),
    row("fetched", ({ report }) => formatBytes(report.fetched.bytes)),
    row("read from the cache", ({ report }) => formatBytes(report.hit.bytes)),
    row("linked into the layout", ({ report }) => formatBytes(report.linked.bytes)),
  ];
}

function nextSteps(dir: string, cacheDir: string): string[] {
  const mote = `node ${mainFile()}`;
  return [
    `${mote} ls --cache ${cacheDir}`,
    `${mote} serve --cache ${cacheDir}`,
    `${mote} pull docker://HOST/NAME:TAG oci:DIR:TAG     # from another registry`,
    `rm -r ${dir}     # remove the files of the demo`,
  ];
}

async function newFolder(wanted: string | undefined): Promise<string> {
  if (wanted === undefined) return mkdtemp(join(tmpdir(), "mote-demo-"));
  await mkdir(resolve(wanted), { recursive: true });
  return resolve(wanted);
}

/** Returns the path of the command, which is next to the bundle that contains this file. */
function mainFile(): string {
  return fileURLToPath(new URL("main.js", import.meta.url));
}
