/** The used part of `fs.Stats`. */
export interface FileStats {
  isFile(): boolean;
  isDirectory(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
}

/** The functions of `node:fs` that are used. */
export interface RegularFileCalls {
  readonly constants: { readonly O_RDONLY: number; readonly O_NONBLOCK: number };
  openSync(path: string, flags: number): number;
  fstatSync(fd: number): FileStats & { readonly size: number };
  readFileSync(fd: number): Uint8Array;
  closeSync(fd: number): void;
}

/** Describes what exists instead of a regular file. */
export function fileKind(stats: Omit<FileStats, "isFile">): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  return stats.isSocket() ? "a socket" : "a device";
}

/** Opens a regular file for reading. The caller closes it. @throws Error with the reason · what the system calls throw */
export function openRegularFile(path: string, calls: RegularFileCalls): number {
  // Opening a FIFO would block otherwise. Windows has no such flag. The descriptor is checked, not the name.
  const { O_RDONLY, O_NONBLOCK = 0 } = calls.constants;
  const fd = calls.openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    const stats = calls.fstatSync(fd);
    if (stats.isFile()) return fd;
    throw new Error(`it is ${fileKind(stats)}, not a regular file`);
  } catch (error) {
    calls.closeSync(fd);
    throw error;
  }
}

/** Reads a small regular file. @throws as `openRegularFile`, and for a file of more than `maxBytes` bytes */
export function readRegularFile(path: string, calls: RegularFileCalls, maxBytes: number): Uint8Array {
  const fd = openRegularFile(path, calls);
  try {
    const { size } = calls.fstatSync(fd);
    if (size > maxBytes) throw new Error(`it has ${size} bytes; the limit is ${maxBytes}`);
    return calls.readFileSync(fd);
  } finally {
    calls.closeSync(fd);
  }
}
