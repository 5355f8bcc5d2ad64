import { createHash, type Hash, hash } from "node:crypto";
import { MoteError } from "./error.js";

declare const digestBrand: unique symbol;

/** A valid `algorithm:encoded` (image-spec, descriptor.md, "Digests"). Only the functions in this file create it. */
export type Digest = `${string}:${string}` & { readonly [digestBrand]: true };

export type DigestAlgorithm = "sha256" | "sha384" | "sha512";

const hexLengths: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha384: 96, sha512: 128 };

const grammar = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+$/;
const maxDigestLength = 512;

/**
 * Parses a digest.
 * @throws MOTE_INVALID_DIGEST · MOTE_UNSUPPORTED_ALGORITHM for other algorithms than sha256, sha384 and sha512
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const shown = typeof text === "string" ? `"${text.slice(0, 80)}"` : typeof text;
  if (typeof text !== "string" || text.length > maxDigestLength || !grammar.test(text)) {
    throw new MoteError(
      "MOTE_INVALID_DIGEST",
      `${shown} is not a valid digest; use algorithm:encoded, such as sha256:9f86d0…`,
      {
        details: { text: shown },
      },
    );
  }
  const algorithm = text.slice(0, text.indexOf(":"));
  if (!isDigestAlgorithm(algorithm)) {
    throw new MoteError(
      "MOTE_UNSUPPORTED_ALGORITHM",
      `digest algorithm "${algorithm}" is not supported; use sha256, sha384 or sha512`,
      { details: { algorithm } },
    );
  }
  throw new MoteError(
    "MOTE_INVALID_DIGEST",
    `${shown} is not a valid ${algorithm} digest; use ${hexLengths[algorithm]} lower-case hexadecimal digits after the colon`,
    { details: { text: shown, algorithm } },
  );
}

/** 1 for each code of a lower-case hexadecimal digit. To branch on each of a digest's random digits costs twice as much. */
const isHex = Uint8Array.from({ length: 128 }, (_, code) =>
  Number("0123456789abcdef".includes(String.fromCharCode(code))),
);
/** The digest that was checked last: most often the same one is checked several times in a row. */
let lastValid: string | undefined;

/** Returns whether `parseDigest` accepts the value. */
export function isDigest(text: unknown): text is Digest {
  if (typeof text !== "string") return false;
  if (text === lastValid) return true;
  const colon = text.indexOf(":");
  const algorithm = text.slice(0, colon);
  if (colon < 0 || !isDigestAlgorithm(algorithm)) return false;
  if (text.length - colon - 1 !== hexLengths[algorithm]) return false;
  let digits = 0;
  for (let at = colon + 1; at < text.length; at++) digits += isHex[text.charCodeAt(at)] ?? 0;
  if (digits !== hexLengths[algorithm]) return false;
  lastValid = text;
  return true;
}

export function isDigestAlgorithm(text: unknown): text is DigestAlgorithm {
  return text === "sha256" || text === "sha384" || text === "sha512";
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.slice(0, 6) as DigestAlgorithm;
}

/** Returns the part after the colon: lower-case hexadecimal digits, which are safe as a file name. */
export function digestEncoded(digest: Digest): string {
  return digest.slice(7);
}

/** Hashes `bytes`. */
export function digestBytes(bytes: Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
  assertAlgorithm(algorithm);
  return formatDigest(algorithm, hash(algorithm, bytes, "hex"));
}

export interface Digester {
  /** Adds bytes. @throws MOTE_CLOSED after `digest()` */
  update(bytes: Uint8Array): void;
  /** Returns the digest and ends the digester. May be called repeatedly. */
  digest(): Digest;
  /** Returns another digester of the same bytes. @throws MOTE_CLOSED after `digest()` */
  copy(): Digester;
}

/** Creates an incremental digester. @throws MOTE_UNSUPPORTED_ALGORITHM */
export function createDigester(algorithm: DigestAlgorithm = "sha256"): Digester {
  return digesterOf(newHash(algorithm), algorithm);
}

function digesterOf(hash: Hash, algorithm: DigestAlgorithm): Digester {
  let result: Digest | undefined;
  const assertOpen = () => {
    if (result !== undefined) throw new MoteError("MOTE_CLOSED", "the digester has already returned its digest");
  };
  return {
    update(bytes) {
      assertOpen();
      hash.update(bytes);
    },
    copy() {
      assertOpen();
      return digesterOf(hash.copy(), algorithm);
    },
    digest() {
      result ??= formatDigest(algorithm, hash.digest("hex"));
      return result;
    },
  };
}

function newHash(algorithm: DigestAlgorithm): Hash {
  assertAlgorithm(algorithm);
  return createHash(algorithm);
}

function assertAlgorithm(algorithm: DigestAlgorithm): void {
  if (isDigestAlgorithm(algorithm)) return;
  throw new MoteError(
    "MOTE_UNSUPPORTED_ALGORITHM",
    `digest algorithm "${String(algorithm)}" is not supported; use sha256, sha384 or sha512`,
  );
}

function formatDigest(algorithm: DigestAlgorithm, hex: string): Digest {
  return `${algorithm}:${hex}` as Digest;
}
