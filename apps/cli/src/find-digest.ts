import { type Digest, isDigest, type MoteCache, MoteError, parseDigest } from "@mote/core";
import { listMotes } from "./listing.js";

const shortest = 6;

/** The digest that a person means: a whole one, or the first digits (at least 6) of one that is kept. */
export async function findDigest(cache: MoteCache, text: string): Promise<Digest> {
  if (isDigest(text)) return text;
  const [, algorithm = "", digits = ""] = /^(?:(sha256|sha384|sha512):)?([0-9a-f]+)$/.exec(text) ?? [];
  if (digits.length < shortest) return parseDigest(text);
  const found: Digest[] = [];
  for await (const { digest } of listMotes(cache)) {
    const [kind = "", encoded = ""] = digest.split(":");
    if (kind.startsWith(algorithm) && encoded.startsWith(digits)) found.push(digest);
  }
  const [only, ...others] = found;
  if (only === undefined)
    throw new MoteError(
      "MOTE_NOT_FOUND",
      `nothing is kept whose digest begins with ${text}; \`mote ls\` lists what is`,
    );
  if (others.length > 0)
    throw new MoteError("MOTE_INVALID_DIGEST", `${text} begins ${found.length} digests; give more digits`);
  return only;
}
