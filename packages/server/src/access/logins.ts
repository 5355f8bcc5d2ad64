import { createHmac, randomBytes } from "node:crypto";
import { BoundedMap } from "@mote/core";
import type { Credentials } from "./basic-credentials.js";
import type { Htpasswd } from "./htpasswd.js";
import type { PasswordChecker } from "./password-checker.js";

/** How long the result of a check is believed without repeating it. */
const validMs = 5 * 60_000;
const invalidMs = 5000;
const maxResults = 1000;

interface Result {
  readonly isValid: boolean | Promise<boolean>;
  /** By `performance.now()`. */
  readonly untilMs: number;
}

/**
 * Checks logins, each at most once in a while: results are kept in memory under a keyed hash of the login and of what it was compared with,
 * so that a changed file invalidates them.
 */
export class Logins {
  readonly #checker: Pick<PasswordChecker, "check">;
  readonly #key = randomBytes(32);
  readonly #results = new BoundedMap<string, Result>(maxResults);

  constructor(checker: Pick<PasswordChecker, "check">) {
    this.#checker = checker;
  }

  async isValid({ user, password }: Credentials, users: Htpasswd): Promise<boolean> {
    const isKnown = users.has(user);
    const hash = users.get(user) ?? this.#hashOfAnyone(user, users);
    if (hash === undefined) return false;
    const key = this.#keyedHash(JSON.stringify([user, password, hash, isKnown]));
    const stored = this.#results.get(key);
    if (stored !== undefined && stored.untilMs > performance.now()) return stored.isValid;
    const isValid = this.#check(key, { password, hash, isKnown });
    this.#results.set(key, { isValid, untilMs: Number.POSITIVE_INFINITY });
    return isValid;
  }

  async #check(
    key: string,
    { password, hash, isKnown }: { readonly password: string; readonly hash: string; readonly isKnown: boolean },
  ): Promise<boolean> {
    try {
      const isValid = (await this.#checker.check(password, hash)) && isKnown;
      this.#results.set(key, { isValid, untilMs: performance.now() + (isValid ? validMs : invalidMs) });
      return isValid;
    } catch (error) {
      this.#results.delete(key);
      throw error;
    }
  }

  /** Returns the hash of some user, the same each time, so that a check of an unknown user takes as long as one of a known user. */
  #hashOfAnyone(user: string, users: Htpasswd): string | undefined {
    if (users.size === 0) return undefined;
    const at = Number.parseInt(this.#keyedHash(user).slice(0, 8), 16) % users.size;
    return [...users.values()][at];
  }

  #keyedHash(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("hex");
  }
}
