import type { Color } from "./output/output.js";

/** What the command that runs and the frame around it know of each other. */
export interface Session {
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Called at the first one, and once more, with `isLast`, before the second ends the process. */
  onInterrupt: (how: { readonly isLast: boolean }) => void;
  /** How things are when the command has ended so, for people: a phrase. Empty where nothing is to be said. */
  afterwards: string;
  /** As the user set it, once that is known. */
  color?: Color | undefined;
  /** The cache folder, once that is known. */
  cache?: string | undefined;
}

/** The first signal asks the command to finish what it cannot leave, and to end; the second ends it at once. Both end in status 130. */
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
