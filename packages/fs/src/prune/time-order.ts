const buckets = 4096;
const sortable = 4096;

/** A group of numbers, none earlier than those of the group before. */
export interface TimeGroup {
  /** In any order. */
  readonly indices: Uint32Array;
  /** Returns them earliest first. Sorting is the slowest step, and not every caller needs it. */
  inOrder(): Uint32Array;
}

/** Yields the numbers 0 to `count` - 1 by their times, earliest first, in groups that are sorted on demand. */
export async function* inTimeOrder(
  count: number,
  timeMsAt: (index: number) => number,
  yieldIfDue: () => Promise<void> | undefined,
): AsyncGenerator<TimeGroup, void, undefined> {
  const all = new Uint32Array(count);
  for (let index = 0; index < count; index++) all[index] = index;
  yield* ordered(all, timeMsAt, yieldIfDue);
}

async function* ordered(
  indices: Uint32Array,
  timeMsAt: (index: number) => number,
  yieldIfDue: () => Promise<void> | undefined,
): AsyncGenerator<TimeGroup, void, undefined> {
  await yieldIfDue();
  if (indices.length <= sortable) {
    yield { indices, inOrder: () => indices.sort((a, b) => timeMsAt(a) - timeMsAt(b)) };
    return;
  }
  let earliest = Number.POSITIVE_INFINITY;
  let latest = Number.NEGATIVE_INFINITY;
  for (const some of stretches(indices)) {
    for (const index of some) {
      const time = timeMsAt(index);
      if (time < earliest) earliest = time;
      if (time > latest) latest = time;
    }
    await yieldIfDue();
  }
  if (earliest === latest) {
    for (const some of stretches(indices)) yield { indices: some, inOrder: () => some };
    return;
  }
  const scale = (buckets - 1) / (latest - earliest);
  const bucketOf = (index: number) => Math.floor((timeMsAt(index) - earliest) * scale);
  const starts = new Uint32Array(buckets + 1);
  for (const some of stretches(indices)) {
    for (const index of some) {
      const after = bucketOf(index) + 1;
      starts[after] = (starts[after] ?? 0) + 1;
    }
    await yieldIfDue();
  }
  for (let bucket = 1; bucket <= buckets; bucket++) starts[bucket] = (starts[bucket] ?? 0) + (starts[bucket - 1] ?? 0);
  const next = starts.slice();
  const grouped = new Uint32Array(indices.length);
  for (const some of stretches(indices)) {
    for (const index of some) {
      const bucket = bucketOf(index);
      const at = next[bucket] ?? 0;
      grouped[at] = index;
      next[bucket] = at + 1;
    }
    await yieldIfDue();
  }
  for (let bucket = 0; bucket < buckets; bucket++) {
    const group = grouped.subarray(starts[bucket], starts[bucket + 1]);
    if (group.length > 0) yield* ordered(group, timeMsAt, yieldIfDue);
  }
}

function* stretches(indices: Uint32Array): Generator<Uint32Array, void, undefined> {
  for (let from = 0; from < indices.length; from += sortable) yield indices.subarray(from, from + sortable);
}
