/** A system call of a trace made with `strace -f -y`; `began` and `ended` are places in the order of the trace. */
export interface Call {
  readonly name: string;
  /** Of the descriptor it works on, or the first path it names. */
  readonly path?: string | undefined;
  /** The second path that it names. */
  readonly to?: string | undefined;
  readonly began: number;
  readonly ended: number;
  /** What it answered; -1 where it failed. */
  readonly result: number;
}

/** Reads a trace. A call that others interrupted is put together again. */
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
