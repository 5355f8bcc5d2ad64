import type { ChildProcess } from "node:child_process";
import { type Cancellable, MoteError } from "@mote/core";
import type { Credentials } from "./credentials.js";

export interface HelperOptions extends Cancellable {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
}

const maxHelperBytes = 256 * 1024;
/** How long output that came before a helper's end may take to arrive. */
const outputAfterExitMs = 1_000;
/** Stands in for a user's name where the secret is a refresh token. */
const tokenUser = "<token>";

/**
 * Asks the program `docker-credential-NAME` for what it keeps under `server` (docker/docker-credential-helpers: the server on
 * stdin, JSON on stdout). Undefined where it has nothing.
 * @throws MOTE_CONFIG where the program is missing, fails, or does not answer in time
 */
export async function askCredentialHelper(
  name: string,
  server: string,
  options: HelperOptions,
): Promise<Credentials | undefined> {
  const program = helperProgram(name);
  const text = await ask(program, "get", server, options);
  return text === undefined ? undefined : readAnswer(text, program);
}

/** Has the program keep them under `server`. @throws MOTE_CONFIG */
export async function keepWithHelper(
  name: string,
  server: string,
  credentials: Credentials,
  options: HelperOptions,
): Promise<void> {
  if (credentials.kind === "registry-token") {
    throw new MoteError("MOTE_CONFIG", "a credential helper keeps passwords and refresh tokens, and no bearer tokens");
  }
  const login =
    credentials.kind === "password"
      ? { Username: credentials.username, Secret: credentials.password }
      : { Username: tokenUser, Secret: credentials.token };
  await ask(helperProgram(name), "store", JSON.stringify({ ServerURL: server, ...login }), options);
}

/** Has the program forget what it keeps under `server`, if anything. @throws MOTE_CONFIG */
export async function eraseWithHelper(name: string, server: string, options: HelperOptions): Promise<void> {
  await ask(helperProgram(name), "erase", server, options);
}

/** @throws MOTE_CONFIG */
export function helperProgram(name: string): string {
  if (/^[A-Za-z0-9._-]+$/.test(name)) return `docker-credential-${name}`;
  throw new MoteError("MOTE_CONFIG", `"${name}" is no name of a credential helper; correct it in the configuration`);
}

/** What it says; undefined where it has nothing. */
async function ask(
  program: string,
  command: "get" | "store" | "erase",
  input: string,
  options: HelperOptions,
): Promise<string | undefined> {
  const { code, stdout } = await run(program, command, input, options);
  const text = stdout.trim();
  if (code === 0) return text;
  // The one message that the protocol fixes, on stdout.
  if (/credentials not found/i.test(text)) return undefined;
  const how = code === null ? "was killed" : `failed with exit code ${code}`;
  throw new MoteError("MOTE_CONFIG", `${program} ${how}; run it by hand to see why`, {
    details: { program, code },
  });
}

function readAnswer(text: string, program: string): Credentials | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // The text may hold a secret, and so may the parser's message.
    throw new MoteError("MOTE_CONFIG", `${program} answered with what is no JSON`, { details: { program } });
  }
  if (typeof body !== "object" || body === null || !("Username" in body) || !("Secret" in body)) return undefined;
  const { Username: username, Secret: secret } = body;
  if (typeof username !== "string" || typeof secret !== "string" || secret === "") return undefined;
  if (username === tokenUser) return { kind: "identity-token", token: secret };
  return { kind: "password", username, password: secret };
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
}

function run(program: string, command: string, input: string, options: HelperOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const { env, timeoutMs, signal } = options;
    signal?.throwIfAborted();
    const child = start(program, command, env);
    let timer: NodeJS.Timeout | undefined;
    let hasEnded = false;
    const abort = () => end(() => reject(signal?.reason));
    // Listened to before anything else is touched: without descriptors or memory there is a child without streams.
    child.on("error", (cause) => end(() => reject(notStarted(program, cause))));
    const { stdin, stdout } = child;
    if (!stdin || !stdout) return;
    const late = `did not answer within ${timeoutMs / 1000} s; run it by hand to see why`;
    timer = setTimeout(() => fail(late), timeoutMs);
    signal?.addEventListener("abort", abort, { once: true });
    const decoder = new TextDecoder();
    let text = "";
    stdout.on("data", (chunk: Uint8Array) => {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > maxHelperBytes) fail(`answered with more than ${maxHelperBytes / 1024} KiB`);
    });
    const ended = (code: number | null) => end(() => resolve({ code, stdout: text + decoder.decode() }));
    child.on("close", ended);
    // What the helper has started may hold its output open for as long as it runs.
    child.on("exit", (code) => {
      if (hasEnded) return;
      clearTimeout(timer);
      timer = setTimeout(() => ended(code), outputAfterExitMs);
    });
    // A helper may exit without reading.
    stdin.on("error", () => {});
    stdin.end(input);

    function fail(why: string): void {
      end(() => reject(new MoteError("MOTE_CONFIG", `${program} ${why}`, { details: { program } })));
    }

    function end(settle: () => void): void {
      hasEnded = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      settle();
      if (child.exitCode === null && child.pid !== undefined) child.kill("SIGKILL");
      child.stdout?.destroy();
      child.stdin?.destroy();
    }
  });
}

function start(program: string, command: string, env: HelperOptions["env"]): ChildProcess {
  const { spawn } = process.getBuiltinModule("node:child_process");
  try {
    return spawn(program, [command], { env: { ...env }, stdio: ["pipe", "pipe", "ignore"] });
  } catch (cause) {
    throw notStarted(program, cause);
  }
}

/** A program that is missing is the configuration's error; anything else is an error of the system, by its own name. */
function notStarted(program: string, cause: unknown): MoteError {
  const errno = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  const options = { cause, details: { program, errno } };
  if (errno === "ENOENT" || errno === "EACCES") {
    const message = `${program}, which the configuration names, cannot be run; install it or take it out of the configuration`;
    return new MoteError("MOTE_CONFIG", message, options);
  }
  const advice = shortages[errno] ?? "run it by hand to see why";
  return new MoteError("MOTE_IO", `${program} cannot be started: ${errno}; ${advice}`, options);
}

const shortages: Readonly<Record<string, string>> = {
  EMFILE: "this process has too many open files: raise its limit (ulimit -n), or lower --concurrency",
  ENFILE: "the system has too many open files: close some",
  EAGAIN: "there are too many processes: raise the limit (ulimit -u)",
  ENOMEM: "the system has no memory left: free some",
};
