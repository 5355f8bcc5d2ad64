import type { ChildProcess } from "node:child_process";
import { type Cancellable, detailOf, errorCode, MoteError } from "@mote/core";
import { isText, record } from "./auth-file.js";
import type { Credentials } from "./credentials.js";

export interface HelperOptions extends Cancellable {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
}

export interface HelperRequestOptions extends HelperOptions {
  /** Called if the program is missing, fails, or prints no user name and secret. `problem` contains no secret. */
  readonly onProblem: (problem: string) => void;
}

const maxHelperBytes = 256 * 1024;
const maxErrorCharacters = 16 * 1024;
/** How long to wait for remaining output after a helper exits. */
const outputAfterExitMs = 1_000;
/** The user name that marks the secret as a refresh token. */
const tokenUser = "<token>";

/**
 * Runs `docker-credential-NAME` for the login of `server` (docker/docker-credential-helpers). Returns undefined if it has none, is
 * missing or fails; then calls `onProblem`. @throws MOTE_CONFIG on a timeout or output that is not JSON · MOTE_IO if no program starts
 */
export async function runCredentialHelper(
  name: string,
  server: string,
  { onProblem, ...options }: HelperRequestOptions,
): Promise<Credentials | undefined> {
  const program = helperProgram(name);
  let ended: Ended;
  try {
    ended = await run(program, "get", server, options);
  } catch (error) {
    if (!MoteError.isInstance(error) || !isMissing(error)) throw error;
    onProblem(`${program} cannot be run [${error.details.errno}]`);
    return undefined;
  }
  const { code, stdout, stderr } = ended;
  if (code === 0) return readAnswer(stdout.trim(), program, onProblem);
  if (!saysNotFound(code, `${stdout}\n${stderr}`)) onProblem(`${program} ${howItEnded(code)}`);
  return undefined;
}

/** Detects that a helper has no login: besides the protocol's message, helpers have their own, on either stream, translated. */
function saysNotFound(code: number | null, text: string): boolean {
  if (code !== 1 || /command not found|executable file not found|no such file or directory/i.test(text)) return false;
  return /not (?:be )?found|n't (?:be )?found|no credentials|no (?:such|matching|stored)|(?:does not|doesn't) exist/i.test(
    text,
  );
}

function howItEnded(code: number | null): string {
  return code === null ? "was killed" : `failed with exit code ${code}`;
}

function isMissing(error: MoteError): error is MoteError & { readonly details: { readonly errno: string } } {
  return error.code === "MOTE_CONFIG" && detailOf(error, "errno") !== undefined;
}

/** Stores the login under `server`. @throws MOTE_CONFIG */
export async function storeWithHelper(
  name: string,
  server: string,
  credentials: Credentials,
  options: HelperOptions,
): Promise<void> {
  if (credentials.kind === "registry-token") {
    throw new MoteError(
      "MOTE_CONFIG",
      "a credential helper cannot store a bearer token; use a password or a refresh token",
    );
  }
  const login =
    credentials.kind === "password"
      ? { Username: credentials.username, Secret: credentials.password }
      : { Username: tokenUser, Secret: credentials.token };
  await tell(helperProgram(name), "store", JSON.stringify({ ServerURL: server, ...login }), options);
}

/** Erases any login stored under `server`. @throws MOTE_CONFIG */
export async function eraseWithHelper(name: string, server: string, options: HelperOptions): Promise<void> {
  await tell(helperProgram(name), "erase", server, options);
}

/** @throws MOTE_CONFIG */
export function helperProgram(name: string): string {
  if (/^[A-Za-z0-9._-]+$/.test(name)) return `docker-credential-${name}`;
  throw new MoteError(
    "MOTE_CONFIG",
    `"${name}" is not a valid name of a credential helper; correct it in the configuration`,
  );
}

async function tell(program: string, command: "store" | "erase", input: string, options: HelperOptions): Promise<void> {
  const { code, stdout, stderr } = await run(program, command, input, options);
  if (code === 0 || (command === "erase" && saysNotFound(code, `${stdout}\n${stderr}`))) return;
  throw new MoteError("MOTE_CONFIG", `${program} ${howItEnded(code)}; run it by hand to see why`, {
    details: { program, code },
  });
}

function readAnswer(
  text: string,
  program: string,
  onProblem: HelperRequestOptions["onProblem"],
): Credentials | undefined {
  let body: unknown = {};
  try {
    if (text !== "") body = JSON.parse(text);
  } catch {
    // The text and the parser's message may contain a secret.
    throw new MoteError("MOTE_CONFIG", `${program} printed output that is not JSON; run it by hand to see why`, {
      details: { program },
    });
  }
  const { Username: username, Secret: secret } = record(body);
  if (!isText(username) || !isText(secret)) {
    onProblem(`${program} returned no user name and secret`);
    return undefined;
  }
  if (username === tokenUser) return { kind: "identity-token", token: secret };
  return { kind: "password", username, password: secret };
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** Truncated. */
  readonly stderr: string;
}

function run(program: string, command: string, input: string, options: HelperOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const { env, timeoutMs, signal } = options;
    signal?.throwIfAborted();
    const child = start(program, command, env);
    let timer: NodeJS.Timeout | undefined;
    let hasEnded = false;
    const abort = () => end(() => reject(signal?.reason));
    // Listen first: without descriptors or memory, the child has no streams.
    child.on("error", (cause) => end(() => reject(notStarted(program, cause))));
    const { stdin, stdout, stderr } = child;
    if (!stdin || !stdout || !stderr) return;
    const late = `did not respond within ${timeoutMs / 1000} s; run it by hand to see why`;
    timer = setTimeout(() => fail(late), timeoutMs);
    signal?.addEventListener("abort", abort, { once: true });
    const decoder = new TextDecoder();
    let text = "";
    stdout.on("data", (chunk: Uint8Array) => {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > maxHelperBytes) fail(`printed more than ${maxHelperBytes / 1024} KiB`);
    });
    let errors = "";
    stderr.on("data", (chunk: Buffer) => {
      if (errors.length < maxErrorCharacters) errors += chunk.toString("utf8");
    });
    const ended = (code: number | null) =>
      end(() => resolve({ code, stdout: text + decoder.decode(), stderr: errors.slice(0, maxErrorCharacters) }));
    child.on("close", ended);
    // A process started by the helper may keep its output open.
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
      child.stderr?.destroy();
      child.stdin?.destroy();
    }
  });
}

function start(program: string, command: string, env: HelperOptions["env"]): ChildProcess {
  const { spawn } = process.getBuiltinModule("node:child_process");
  try {
    return spawn(program, [command], { env: { ...env }, stdio: ["pipe", "pipe", "pipe"] });
  } catch (cause) {
    throw notStarted(program, cause);
  }
}

/** A missing program is a configuration error; anything else is a system error. */
function notStarted(program: string, cause: unknown): MoteError {
  const errno = errorCode(cause) ?? String(cause);
  const options = { cause, details: { program, errno } };
  if (notRunnable.has(errno)) {
    const message = `${program}, which the configuration names, cannot be run; install it or take it out of the configuration`;
    return new MoteError("MOTE_CONFIG", message, options);
  }
  const advice = shortages[errno] ?? "run it by hand to see why";
  return new MoteError("MOTE_IO", `${program} cannot be started: ${errno}; ${advice}`, options);
}

/** `UNKNOWN`: a program of another system, such as Windows under WSL. */
const notRunnable: ReadonlySet<string> = new Set([
  "ENOENT",
  "EACCES",
  "ENOTDIR",
  "ENOEXEC",
  "EPERM",
  "ELOOP",
  "UNKNOWN",
]);

const shortages: Readonly<Record<string, string>> = {
  EMFILE: "this process has too many open files: raise its limit (ulimit -n), or lower --concurrency",
  ENFILE: "the system has too many open files: close some",
  EAGAIN: "there are too many processes: raise the limit (ulimit -u)",
  ENOMEM: "the system has no memory left: free some",
};
