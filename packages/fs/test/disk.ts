import { dirname } from "node:path";
import type { Call } from "./strace.js";

export interface File {
  written: number;
  /** Bytes that survive a power failure. */
  synced: number;
}

/** The disk as it is, and as it may be after a power failure. */
export class Disk {
  readonly files = new Map<string, File>();
  /** Every name that may exist, with its file: created, and not certainly removed. */
  readonly possible = new Map<string, File>();
  /** Names that may not exist: removed, synced or not. */
  readonly removed = new Set<string>();
  readonly #begun = new Map<Call, Map<File, number>>();
  readonly #removedAtBegin = new Map<Call, string[]>();

  begin(call: Call): void {
    if (!isSync(call)) return;
    this.#begun.set(
      call,
      new Map([...this.files.values(), ...this.possible.values()].map((file) => [file, file.written])),
    );
    this.#removedAtBegin.set(call, [...this.removed]);
  }

  end(call: Call): void {
    const { name, path = "", to } = call;
    if (isSync(call)) this.#synced(call, path);
    else if (/write/.test(name)) this.#fileAt(path).written += call.result;
    else if (name.startsWith("rename") && to !== undefined) this.#named(path, to, true);
    else if (name.startsWith("link") && to !== undefined) this.#named(path, to, false);
    else if (name.startsWith("unlink")) this.#unlinked(path);
  }

  #synced(call: Call, path: string): void {
    for (const [file, written] of this.#begun.get(call) ?? []) {
      const isCovered = call.name === "syncfs" || this.files.get(path) === file;
      if (isCovered) file.synced = Math.max(file.synced, written);
    }
    if (call.name === "fdatasync") return;
    for (const name of this.#removedAtBegin.get(call) ?? []) {
      if (this.removed.has(name) && (call.name === "syncfs" || dirname(name) === path)) this.possible.delete(name);
    }
  }

  #named(from: string, to: string, moved: boolean): void {
    const file = this.#fileAt(from);
    if (moved) this.files.delete(from);
    // The old name may exist until its directory is synced, like a removed one.
    if (moved && this.possible.has(from)) this.removed.add(from);
    this.files.set(to, file);
    this.possible.set(to, file);
    this.removed.delete(to);
  }

  #unlinked(path: string): void {
    const file = this.files.get(path);
    if (file !== undefined) this.possible.set(path, file);
    this.files.delete(path);
    this.removed.add(path);
  }

  // Everything from before the trace is on disk.
  #fileAt(path: string): File {
    const known = this.files.get(path);
    if (known !== undefined) return known;
    const file = { written: 0, synced: 0 };
    this.files.set(path, file);
    return file;
  }
}

const isSync = ({ name }: Call) => name === "fsync" || name === "fdatasync" || name === "syncfs";
const isKept = (path: string) => /\/blobs\/|\/tags\/|\/(index|format)\.json$|\/oci-layout$/.test(path);

/** Replays the calls, and checks the disk after each of them. Returns the number of states checked. */
export function play(calls: readonly Call[], disk: Disk, look: (disk: Disk) => number): number {
  const events = calls
    .flatMap((call) => [
      { at: call.began, turn: () => disk.begin(call) },
      { at: call.ended + 0.5, turn: () => disk.end(call) },
    ])
    .sort((a, b) => a.at - b.at);
  let states = 0;
  for (const { turn } of events) {
    turn();
    states += look(disk);
  }
  return states;
}

export const torn = (disk: Disk) =>
  [...disk.possible].filter(([path, file]) => isKept(path) && file.synced < file.written).map(([path]) => path);
