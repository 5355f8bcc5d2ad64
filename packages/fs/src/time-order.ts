const buckets = 4096;
const sortable = 4096;

/**
 * The numbers 0 to `count` - 1 by their times, earliest first, sorted only as far as they are asked for: by histogram, and within a
 * bucket when it is reached.
 */
export function* inTimeOrder(count: number, timeMsAt: (index: number) => number): Generator<number, void, undefined> {
  const all = new Uint32Array(count);
  for (let index = 0; index < count; index++) all[index] = index;
  yield* ordered(all, timeMsAt);
}

function* ordered(indices: Uint32Array, timeMsAt: (index: number) => number): Generator<number, void, undefined> {
  if (indices.length <= sortable) {
    yield* indices.sort((a, b) => timeMsAt(a) - timeMsAt(b));
    return;
  }
  let earliest = Number.POSITIVE_INFINITY;
  let latest = Number.NEGATIVE_INFINITY;
  for (const index of indices) {
    const time = timeMsAt(index);
    if (time < earliest) earliest = time;
    if (time > latest) latest = time;
  }
  if (earliest === latest) {
    yield* indices;
    return;
  }
  const scale = (buckets - 1) / (latest - earliest);
  const bucketOf = (index: number) => Math.floor((timeMsAt(index) - earliest) * scale);
  const ends = new Uint32Array(buckets + 1);
  for (const index of indices) ends[bucketOf(index) + 1] = (ends[bucketOf(index) + 1] ?? 0) + 1;
  for (let bucket = 1; bucket <= buckets; bucket++) ends[bucket] = (ends[bucket] ?? 0) + (ends[bucket - 1] ?? 0);
  const starts = ends.slice(0, buckets);
  const next = starts.slice();
  const grouped = new Uint32Array(indices.length);
  for (const index of indices) {
    const bucket = bucketOf(index);
    const at = next[bucket] ?? 0;
    grouped[at] = index;
    next[bucket] = at + 1;
  }
  for (let bucket = 0; bucket < buckets; bucket++) {
    const group = grouped.subarray(starts[bucket], ends[bucket + 1]);
    if (group.length > 0) yield* ordered(group, timeMsAt);
  }
}
