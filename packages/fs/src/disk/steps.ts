/** The result of a call that may be asynchronous. */
export type Soon<T> = T | Promise<T>;

/** A function of several calls, any of which may be asynchronous: `const fd = yield* step(calls.open(path, flags))`. */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>;

/** Waits for one call. */
export function step<T>(call: Soon<T>): Iterable<Promise<unknown>, T, unknown> {
  return call instanceof Promise ? waitFor(call) : new Finished(call);
}

function* waitFor<T>(call: Promise<T>): Steps<T> {
  return (yield call) as T;
}

/** A step that is already complete. Does what a generator would do, at a fraction of its cost. */
class Finished<T> implements Iterator<never, T> {
  readonly done = true;
  readonly value: T;

  constructor(value: T) {
    this.value = value;
  }

  next(): this {
    return this;
  }

  [Symbol.iterator](): this {
    return this;
  }
}

/** Runs steps without a promise as long as no call returns one: for a small blob, awaits would cost as much as the calls themselves. */
export function runSteps<T>(steps: Steps<T>): Soon<T> {
  const first = steps.next();
  return first.done ? first.value : finish(steps, first.value);
}

async function finish<T>(steps: Steps<T>, first: Promise<unknown>): Promise<T> {
  for (let waiting = first; ; ) {
    const next = await waiting.then(
      (value) => () => steps.next(value),
      (error: unknown) => () => steps.throw(error),
    );
    const result = next();
    if (result.done) return result.value;
    waiting = result.value;
  }
}
