import type { Color } from "./output/output.js";

/** State that the running command shares with the program around it. */
export interface Session {
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Called at the first signal, and with `isLast` before the second one ends the process. */
  onInterrupt: (how: { readonly isLast: boolean }) => void;
  /** What the state is after an interrupt: a phrase, which may be empty. */
  afterwards: string;
  color?: Color | undefined;
  /** The cache directory, once it is known. */
  cache?: string | undefined;
}

/** Handles signals: the first aborts the command, the second ends the process at once. The exit status is 130 in both cases. */
export function startSession(): Session {
  const controller = new AbortController();
  const session: Session = { signal: controller.signal, onInterrupt() {}, afterwards: "" };
  const interrupt = () => {
    const isLast = controller.signal.aborted;
    session.onInterrupt({ isLast });
    if (isLast) process.exit(130);
    controller.abort(new Error("interrupted"));
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return session;
}
