import { type Flow, type Link, toleranceBytes } from "./flow.js";

/**
 * Computes the rate of each flow by max-min fairness: all rates grow together, and those of the flows of a link stay as they are when the
 * link is full. A flow that has read all that has arrived at its source is not faster than the flow that fills it.
 */
export function shareFairly(flows: readonly Flow[], links: readonly Link[]): void {
  for (const link of links) {
    link.left = link.bytesPerSecond;
    link.open = link.flows.length;
    link.rate = 0;
  }
  for (const flow of flows) flow.isFixed = false;
  for (const flow of flows) if (waitsForBytes(flow)) fix(flow, 0);
  const heap = new LinkHeap(links);
  for (let link = heap.pop(); link !== undefined; link = heap.pop()) {
    const { share } = link;
    for (const flow of link.flows) if (!flow.isFixed) fix(flow, share);
  }
}

function waitsForBytes(flow: Flow): boolean {
  const { ahead, from } = flow;
  return ahead < -toleranceBytes || (ahead <= toleranceBytes && from?.filler === undefined);
}

/** Gives a flow its rate, and with it those that can only follow it. */
function fix(flow: Flow, rate: number): void {
  if (flow.isFixed) return;
  flow.isFixed = true;
  flow.rate = rate;
  for (const link of flow.links) {
    link.open--;
    link.left -= rate;
    link.rate += rate;
  }
  if (flow.into === undefined) return;
  for (const reader of flow.into.readers) if (reader.isCaughtUp) fix(reader, rate);
}

/** Links by their share, the smallest first. Shares only grow while rates are fixed, so that an old one is corrected when it comes up. */
class LinkHeap {
  readonly #links: Link[];
  readonly #shares: number[];

  constructor(links: readonly Link[]) {
    const open = links.filter((link) => link.open > 0 && link.bytesPerSecond < Number.POSITIVE_INFINITY);
    const order = open.map((link) => ({ link, share: link.share })).sort((one, other) => one.share - other.share);
    this.#links = order.map(({ link }) => link);
    this.#shares = order.map(({ share }) => share);
  }

  pop(): Link | undefined {
    for (;;) {
      const link = this.#links[0];
      if (link === undefined) return undefined;
      if (link.open === 0) this.#removeFirst();
      else if (link.share > (this.#shares[0] ?? 0)) this.#sink(link, link.share);
      else return link;
    }
  }

  #removeFirst(): void {
    const [link, share] = [this.#links.pop(), this.#shares.pop()];
    if (link !== undefined && share !== undefined && this.#links.length > 0) this.#sink(link, share);
  }

  /** Puts a link in the place of the first one, and moves it down to where it belongs. */
  #sink(link: Link, share: number): void {
    const [links, shares] = [this.#links, this.#shares];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [shares[child], shares[child + 1]];
      if (left === undefined) break;
      let least = left;
      if (right !== undefined && right < left) {
        child++;
        least = right;
      }
      const moved = links[child];
      if (least >= share || moved === undefined) break;
      links[at] = moved;
      shares[at] = least;
      at = child;
    }
    links[at] = link;
    shares[at] = share;
  }
}
