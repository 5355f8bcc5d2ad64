import { createDigester, type Digest, type Digester, digestAlgorithm } from "./digest.js";
import { MoteError } from "./error.js";

export interface ExpectedContent {
  readonly digest: Digest;
  /** Bytes, where known. */
  readonly size?: number | undefined;
}

export interface VerifierOptions {
  /** The bytes are of a stored copy: what does not match is MOTE_CORRUPT. Default false. */
  readonly damage?: boolean | undefined;
}

/** Compares bytes with a size and a digest as they pass. */
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

  /** Bytes seen so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws MOTE_SIZE_MISMATCH (MOTE_CORRUPT with `damage`) as soon as there are more bytes than expected · MOTE_CLOSED after `finish` */
  update(chunk: Uint8Array): void {
    this.#digester.update(chunk);
    this.#bytes += chunk.byteLength;
    const { size } = this.#expected;
    if (size !== undefined && this.#bytes > size) throw this.#wrongSize(size);
  }

  /** Ends the check. @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH, or MOTE_CORRUPT for both with `damage` */
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
