/** Maps items with several calls of `map` at once, and yields the results in the order of the items. */
export async function* mapInOrder<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  concurrency: number,
  map: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const waiting: Promise<Result>[] = [];
  for await (const item of items) {
    const result = map(item);
    result.catch(() => {});
    waiting.push(result);
    const first = waiting.length >= concurrency ? waiting.shift() : undefined;
    if (first !== undefined) yield await first;
  }
  for (const result of waiting) yield await result;
}
