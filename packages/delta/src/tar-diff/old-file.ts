/** A regular file of OLD with random access. */
export interface OldFile {
  /** Without "/" or "./" in front. */
  readonly path: string;
  readonly size: number;
  /** Reads up to `length` bytes; fewer only at the end. @param into memory of that size or more to use for the result */
  read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
}
