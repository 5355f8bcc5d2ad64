import { createDigester, type Digest, type Digester, digestAlgorithm } from "./digest.js";
import { MoteError } from "./error.js";

export interface ExpectedContent {
  readonly digest: Digest;
  /** In bytes, if known. */
  readonly size?: number | undefined;
}

export interface VerifierOptions {
  /** Whether the bytes come from a stored copy, so that a mismatch is MOTE_CORRUPT. Default false. */
  readonly damage?: boolean | undefined;
}

/** Verifies the size and digest of a stream. */
export class ContentVerifier {
  readonly #expected: ExpectedContent;
  readonly #damage: boolean;
  readonly #digester: Digester;
  #bytes = 0;

  constructor(expected: ExpectedContent, { damage = false }: VerifierOptions = {}) {
    this.#expected = expected;
    this.#damage = damage;
    this.#digester = createDigester(digestAlgorithm(expected.digest));
  }

  /** The number of bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a chunk. @throws MOTE_SIZE_MISMATCH (MOTE_CORRUPT with `damage`) if there are more bytes than expected · MOTE_CLOSED after `finish` */
  update(chunk: Uint8Array): void {
    this.#digester.update(chunk);
    this.#bytes += chunk.byteLength;
    const { size } = this.#expected;
    if (size !== undefined && this.#bytes > size) throw this.#wrongSize(size);
  }

  /** Completes the verification. @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH, or MOTE_CORRUPT with `damage` */
  finish(): void {
    const { digest, size } = this.#expected;
    if (size !== undefined && this.#bytes !== size) throw this.#wrongSize(size);
    const actual = this.#digester.digest();
    if (actual === digest) return;
    throw new MoteError(
      this.#damage ? "MOTE_CORRUPT" : "MOTE_DIGEST_MISMATCH",
      `expected ${digest}, but the bytes hash to ${actual}`,
      { details: { digest, actual } },
    );
  }

  #wrongSize(expected: number): MoteError {
    const { digest } = this.#expected;
    const actual = this.#bytes;
    return new MoteError(
      this.#damage ? "MOTE_CORRUPT" : "MOTE_SIZE_MISMATCH",
      `${digest} has ${expected} bytes, but ${actual > expected ? "at least " : ""}${actual} were read`,
      { details: { digest, expected, actual } },
    );
  }
}
