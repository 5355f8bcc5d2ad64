/**
 * LMDB identifies processes only by their ids: a process locks the byte of the lock file at the offset of its id while it has the
 * file open. Two processes with the same id in different containers need the same byte, and the second one gets EAGAIN, after
 * which lmdb's script sleeps for ten seconds on the main thread. Therefore the byte is locked here first, through lmdb's binary.
 */
interface Binary {
  readonly Env: new () => NativeEnv;
  readonly Txn: new (env: NativeEnv, flags: number) => { abort(): void };
}

/** A database of lmdb's binary, which lmdb's types omit. */
export interface NativeEnv {
  /** Returns an error of LMDB, or throws it. */
  open(options: object, flags: number, scriptFlags: number): unknown;
  /** @throws Error outside a write transaction */
  getWriteTxnId(): number;
  /** Removes the entries of processes that have ended. */
  readerCheck(): number;
  /** Lines that begin with a process id. */
  readerList(): string[];
  close(): void;
}

export interface SlotOptions {
  readonly path: string;
  readonly readOnly: boolean;
  readonly maxReaders: number;
}

const flagNoSubdir = 0x4000;
const flagReadOnly = 0x20000;
const resourceTemporarilyUnavailable = 11;

/** Another process with the same id has the file open. */
export class SameProcessIdError extends Error {
  readonly code = "EAGAIN";
}

/**
 * Locks this process's byte of LMDB's lock file. The lock lasts until the returned environment and all others of the file in this
 * process are closed.
 *
 * @throws SameProcessIdError
 */
export function takeReaderSlot(lmdb: object, options: SlotOptions): NativeEnv {
  const { Env, Txn } = binaryOf(lmdb);
  const env = new Env();
  const { path, readOnly, maxReaders } = options;
  // With the options of lmdb's script, which then reuses this environment.
  const defaults = { maxDbs: 12, mapSize: 0x20000, keyBytes: new Uint8Array(64) };
  env.open({ ...defaults, path, maxReaders }, flagNoSubdir | (readOnly ? flagReadOnly : 0), 0);
  try {
    new Txn(env, flagReadOnly).abort();
  } catch (error) {
    env.close();
    if (!isUnavailable(error)) throw error;
    throw new SameProcessIdError(
      `${path} is in use by another process with the id ${process.pid}, in another container or process id namespace`,
      { cause: error },
    );
  }
  return env;
}

export function environmentOf(db: object): NativeEnv {
  return (db as { readonly env: NativeEnv }).env;
}

function isUnavailable(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === resourceTemporarilyUnavailable;
}

function binaryOf(lmdb: object): Binary {
  if (!("nativeAddon" in lmdb)) throw new Error("this version of lmdb does not export its binary");
  return lmdb.nativeAddon as Binary;
}
