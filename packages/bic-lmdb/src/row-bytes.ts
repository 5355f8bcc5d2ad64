import { type Digest, type DigestAlgorithm, digestAlgorithm, digestEncoded, parseDigest } from "@mote/core";

const algorithms: readonly DigestAlgorithm[] = ["sha256", "sha384", "sha512"];
const rawLengths: readonly number[] = [32, 48, 64];

/** Writes the fields of a row. */
export class RowWriter {
  #bytes = Buffer.allocUnsafeSlow(256);
  #view = this.#bytes.subarray(0, 0);
  #length = 0;
  // A look-up writes the same digest into several keys.
  #lastDigest: Digest | undefined;
  readonly #lastDigestBytes = Buffer.alloc(1 + 64);
  #lastDigestLength = 0;

  byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  number(value: number): this {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  digest(digest: Digest): this {
    if (digest !== this.#lastDigest) {
      this.#lastDigestBytes[0] = algorithms.indexOf(digestAlgorithm(digest));
      this.#lastDigestLength = 1 + this.#lastDigestBytes.write(digestEncoded(digest), 1, "hex");
      this.#lastDigest = digest;
    }
    this.#reserve(this.#lastDigestLength);
    this.#lastDigestBytes.copy(this.#bytes, this.#length, 0, this.#lastDigestLength);
    this.#length += this.#lastDigestLength;
    return this;
  }

  /** Writes any text, as JSON if it has a lone surrogate, which UTF-8 cannot encode. */
  text(text: string): this {
    const isWellFormed = !hasSurrogate(text) || !/\p{Surrogate}/u.test(text);
    const written = isWellFormed ? text : JSON.stringify(text);
    this.byte(isWellFormed ? 0 : 1);
    const maxLength = written.length * 3;
    this.#reserve(4 + maxLength);
    const length = this.#bytes.write(written, this.#length + 4, "utf8");
    this.#bytes.writeUInt32LE(length, this.#length);
    this.#length += 4 + length;
    return this;
  }

  /** Returns the bytes, which are valid until `clear`. Most rows and keys are as long as the last one, so its view is reused. */
  get bytes(): Buffer {
    if (this.#view.length !== this.#length || this.#view.buffer !== this.#bytes.buffer) {
      this.#view = this.#bytes.subarray(0, this.#length);
    }
    return this.#view;
  }

  clear(): this {
    this.#length = 0;
    return this;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#length + more, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

// Faster than the regular expression for lone surrogates; most texts have no surrogates.
function hasSurrogate(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if ((text.charCodeAt(at) & 0xf800) === 0xd800) return true;
  }
  return false;
}

/** Reads the fields of a row in the order in which they were written. */
export class RowReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, start = 0) {
    this.#bytes = bytes;
    this.#at = start;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#at++);
  }

  number(): number {
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  raw(length: number): Buffer {
    const end = this.#at + length;
    const bytes = Buffer.from(this.#bytes.subarray(this.#at, end));
    this.#at = end;
    return bytes;
  }

  digest(): Digest {
    const algorithm = this.byte();
    const end = this.#at + (rawLengths[algorithm] ?? 0);
    const encoded = this.#bytes.toString("hex", this.#at, end);
    this.#at = end;
    return parseDigest(`${algorithms[algorithm]}:${encoded}`);
  }

  text(): string {
    const isWhole = this.byte() === 0;
    const length = this.#bytes.readUInt32LE(this.#at);
    const start = this.#at + 4;
    this.#at = start + length;
    const written = this.#bytes.toString("utf8", start, this.#at);
    return isWhole ? written : String(JSON.parse(written));
  }
}
