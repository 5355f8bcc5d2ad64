/** Returns a function that runs `work`, one run after another. Calls during a run share the next one, as the running one may miss what they need. */
export function sharedRuns(work: () => Promise<void>): () => Promise<void> {
  let running = Promise.resolve();
  let queued: Promise<void> | undefined;
  return () => {
    queued ??= running.then(() => {
      queued = undefined;
      const run = work();
      running = run.catch(() => {});
      return run;
    });
    return queued;
  };
}
