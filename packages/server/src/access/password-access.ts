import fs from "node:fs";
import { stat } from "node:fs/promises";
import { type Logger, MoteError, messageOf, readRegularFile, reasonOf, silentLogger } from "@mote/core";
import type { Access, AccessDecision, AccessRequest, Action } from "./access.js";
import { parseBasicCredentials } from "./basic-credentials.js";
import { type Htpasswd, parseHtpasswd } from "./htpasswd.js";
import { Logins } from "./logins.js";
import { PasswordChecker } from "./password-checker.js";

const maxFileBytes = 1024 * 1024;
/** How often the file is checked for changes. */
const checkEveryMs = 1000;
const challenge = 'Basic realm="mote", charset="UTF-8"';
const reads: ReadonlySet<Action> = new Set(["pull", "list"]);

export interface PasswordAccessOptions {
  /** The path of a file with a user and a bcrypt hash per line. Without it, no client can log in. */
  readonly htpasswd?: string | undefined;
  /** Whether clients may read without a login. Default false. */
  readonly anonymousPull?: boolean | undefined;
  readonly logger?: Logger | undefined;
}

/** Allows everything to the users of a htpasswd file, and to others nothing, or only reads. */
export class PasswordAccess implements Access, AsyncDisposable {
  readonly #file: string | undefined;
  readonly #anonymousPull: boolean;
  readonly #logger: Logger;
  readonly #checker = new PasswordChecker();
  readonly #logins = new Logins(this.#checker);
  #users: Htpasswd = new Map();
  #version = "";
  #checkedMs = performance.now();
  #checking: Promise<void> | undefined;

  /** @throws MOTE_CONFIG if the file cannot be read or a line is not valid */
  constructor({ htpasswd, anonymousPull = false, logger = silentLogger }: PasswordAccessOptions) {
    this.#file = htpasswd;
    this.#anonymousPull = anonymousPull;
    this.#logger = logger;
    this.#read();
  }

  async decide({ action, authorization }: AccessRequest): Promise<AccessDecision> {
    const hasLogins = this.#file !== undefined;
    const credentials = hasLogins ? parseBasicCredentials(authorization) : undefined;
    if (credentials === undefined) {
      if (this.#anonymousPull && reads.has(action))
        return hasLogins ? { kind: "allowed", challenge } : { kind: "allowed" };
      return hasLogins ? { kind: "unauthenticated", challenge } : { kind: "denied" };
    }
    if (credentials === "invalid") return { kind: "unauthenticated", challenge };
    await this.#readIfChanged();
    const isValid = await this.#logins.isValid(credentials, this.#users);
    return isValid ? { kind: "allowed", user: credentials.user } : { kind: "unauthenticated", challenge };
  }

  /** Reads the file again. If it is not valid, the users stay as they are, and the error is logged. */
  reload(): void {
    try {
      this.#read();
    } catch (error) {
      this.#logger.error(`${messageOf(error)}; the users stay as they were`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#checker.close();
  }

  #read(): void {
    if (this.#file === undefined) return;
    let text: string;
    try {
      this.#version = versionOf(fs.statSync(this.#file));
      text = new TextDecoder().decode(readRegularFile(this.#file, fs, maxFileBytes));
    } catch (cause) {
      const message = `cannot read the htpasswd file ${this.#file}: ${reasonOf(cause)}; check the file and its permissions`;
      throw new MoteError("MOTE_CONFIG", message, { cause, details: { file: this.#file } });
    }
    this.#users = parseHtpasswd(text, this.#file);
  }

  /** Requests that arrive during a check wait for it. */
  async #readIfChanged(): Promise<void> {
    if (performance.now() - this.#checkedMs >= checkEveryMs) {
      this.#checkedMs = performance.now();
      this.#checking = this.#check();
    }
    await this.#checking;
  }

  async #check(): Promise<void> {
    // A file that is being replaced may be missing for a moment.
    const stats = await stat(this.#file ?? "").catch(() => undefined);
    if (stats !== undefined && versionOf(stats) !== this.#version) this.reload();
  }
}

function versionOf({ ino, size, mtimeMs }: fs.Stats): string {
  return `${ino} ${size} ${mtimeMs}`;
}
