/**
 * LMDB tells processes apart by their ids alone: a process locks the byte of the lock file at the offset of its id, and keeps
 * it locked while it has the file open. Two processes of one id, each in a container of its own, want the same byte. The
 * second gets EAGAIN, upon which lmdb's script sleeps for ten seconds, on the main thread. So the byte is locked here first,
 * through lmdb's binary.
 */
interface Binary {
  readonly Env: new () => NativeEnv;
  readonly Txn: new (env: NativeEnv, flags: number) => { abort(): void };
}

/** A database as lmdb's binary has it; lmdb's types leave it out. */
export interface NativeEnv {
  /** Returns an error of LMDB, or throws it. */
  open(options: object, flags: number, scriptFlags: number): unknown;
  /** @throws Error outside a write transaction */
  getWriteTxnId(): number;
  /** Clears the entries of processes that ended. */
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

/** Another process with the id of this one has the file open. */
export class SameProcessIdError extends Error {
  readonly code = "EAGAIN";
}

/**
 * Locks this process's byte of LMDB's lock file, and returns the opening that locked it: the lock lasts until this one and all
 * others of the file in this process are closed.
 *
 * @throws SameProcessIdError
 */
export function takeReaderSlot(lmdb: object, options: SlotOptions): NativeEnv {
  const { Env, Txn } = binaryOf(lmdb);
  const env = new Env();
  const { path, readOnly, maxReaders } = options;
  // As lmdb's script opens it: it is then given this very environment.
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
