/** A system call in the output of `strace -f -y`. `began` and `ended` are line numbers. */
export interface Call {
  readonly name: string;
  /** The path of its descriptor, or its first path. */
  readonly path?: string | undefined;
  /** Its second path. */
  readonly to?: string | undefined;
  readonly began: number;
  readonly ended: number;
  /** The result, or -1 if it failed. */
  readonly result: number;
}

/** Parses a trace. The two lines of an interrupted call are joined. */
export function readTrace(text: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, { readonly began: number; readonly start: string }>();
  text.split("\n").forEach((line, at) => {
    const [, pid = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    if (rest.endsWith("<unfinished ...>")) {
      unfinished.set(pid, { began: at, start: rest.slice(0, -"<unfinished ...>".length) });
    } else if (resumed) {
      const first = unfinished.get(pid);
      unfinished.delete(pid);
      if (first) calls.push(...readCall(first.start + resumed[1], first.began, at));
    } else {
      calls.push(...readCall(rest, at, at));
    }
  });
  return calls;
}

function readCall(text: string, began: number, ended: number): Call[] {
  const [, name, args = "", result = ""] = /^(\w+)\((.*)\) += (.*)$/.exec(text) ?? [];
  if (name === undefined) return [];
  const paths = [...args.matchAll(/^\d+<([^>]*)>|"([^"]*)"/g)].map((match) => match[1] ?? match[2]);
  if (name === "openat") paths[0] = /<([^>]*)>/.exec(result)?.[1];
  return [{ name, path: paths[0], to: paths[1], began, ended, result: Number.parseInt(result, 10) }];
}
