import { MoteError } from "@mote/core";

const maxUsers = 10_000;
/** The highest accepted cost. A check of one password takes about 5 seconds with it. */
const maxCost = 16;
const advice = "create it with htpasswd -B";

/** The bcrypt hashes of a htpasswd file by user. */
export type Htpasswd = ReadonlyMap<string, string>;

/**
 * Parses a htpasswd file: lines `USER:HASH`, empty lines and comments. `name` is its path, for messages.
 * @throws MOTE_CONFIG if a line is not valid or its hash is not bcrypt
 */
export function parseHtpasswd(text: string, name: string): Htpasswd {
  const users = new Map<string, string>();
  for (const [at, untrimmed] of text.split("\n").entries()) {
    const line = untrimmed.trim();
    if (line === "" || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    const user = line.slice(0, Math.max(colon, 0));
    const invalid = (reason: string) =>
      new MoteError("MOTE_CONFIG", `line ${at + 1} of ${name} is not valid: ${reason}`, {
        details: { file: name, line: at + 1, ...(user === "" ? {} : { user }) },
      });
    if (user === "") throw invalid(`a line has the form USER:HASH; ${advice}`);
    const hash = line.slice(colon + 1);
    const [, cost] = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash) ?? [];
    if (cost === undefined) throw invalid(`the hash of the user ${JSON.stringify(user)} is not bcrypt; ${advice}`);
    if (Number(cost) < 4 || Number(cost) > maxCost)
      throw invalid(`the hash of the user ${JSON.stringify(user)} has the cost ${cost}; use one from 4 to ${maxCost}`);
    if (users.has(user)) throw invalid(`the user ${JSON.stringify(user)} has another line`);
    if (users.size === maxUsers) throw invalid(`it has more than ${maxUsers} users`);
    users.set(user, hash);
  }
  return users;
}
