import { type Cancellable, MoteError } from "@mote/core";
import type { Credentials } from "./credentials.js";

export interface HelperOptions extends Cancellable {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
}

const maxHelperBytes = 256 * 1024;
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
  throw new MoteError("MOTE_CONFIG", `${program} failed with exit code ${code}; run it by hand to see why`, {
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

function run(
  program: string,
  command: string,
  input: string,
  { env, timeoutMs, signal }: HelperOptions,
): Promise<{ code: number | null; stdout: string }> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const { spawn } = process.getBuiltinModule("node:child_process");
    const child = spawn(program, [command], {
      env: { ...env },
      stdio: ["pipe", "pipe", "ignore"],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      ...(signal === undefined ? {} : { signal }),
    });
    const decoder = new TextDecoder();
    let stdout = "";
    child.stdout.on("data", (chunk: Uint8Array) => {
      if (stdout.length < maxHelperBytes) stdout += decoder.decode(chunk, { stream: true });
    });
    child.on("error", (cause) => {
      const message = `${program}, which the configuration names, cannot be run; install it or take it out of the configuration`;
      reject(signal?.aborted ? signal.reason : new MoteError("MOTE_CONFIG", message, { cause, details: { program } }));
    });
    child.on("close", (code, killedBy) => {
      if (killedBy === null) resolve({ code, stdout });
      else reject(new MoteError("MOTE_CONFIG", `${program} did not answer in time`, { details: { program } }));
    });
    // A helper may exit without reading.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}
