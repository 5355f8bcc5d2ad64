interface FileInImage {
  readonly path: string;
  readonly type: "file" | "folder" | "link" | "hard-link" | "other";
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedMs: number;
  readonly target?: string;
}

const letters = { file: "-", folder: "d", link: "l", "hard-link": "-", other: "?" } as const;

/** Returns a line as `ls -l` prints it, with numbers for user and group. */
export function fileLine({ path, type, size, mode, uid, gid, modifiedMs, target }: FileInImage): string {
  const time = new Date(Math.min(modifiedMs, 8.64e15)).toISOString().slice(0, 16).replace("T", " ");
  const owner = `${uid}:${gid}`.padEnd(9);
  const name = target === undefined ? path : `${path} -> ${target}`;
  return `${letters[type]}${modeText(mode)} ${owner} ${String(size).padStart(10)} ${time} ${name}`;
}

function modeText(mode: number): string {
  const three = (bits: number, special: boolean, letter: string) =>
    (bits & 4 ? "r" : "-") +
    (bits & 2 ? "w" : "-") +
    (special ? (bits & 1 ? letter : letter.toUpperCase()) : bits & 1 ? "x" : "-");
  return (
    three(mode >> 6, (mode & 0o4000) !== 0, "s") +
    three(mode >> 3, (mode & 0o2000) !== 0, "s") +
    three(mode, (mode & 0o1000) !== 0, "t")
  );
}
