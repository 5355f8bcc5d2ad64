import { shareFairly } from "./fair-shares.js";
import { Flow, type FlowOptions, type Link, toleranceBytes } from "./flow.js";

/** Flows over links. Time is in seconds and moves from one event to the next: the end of a flow, or the moment when one has caught up. */
export class Network {
  readonly #flows: Flow[] = [];
  /** The links that have flows. */
  readonly #links = new Set<Link>();
  #now = 0;
  /** The time until which bytes have been moved. */
  #movedUntil = 0;
  #isChanged = false;
  #nextAt = Number.POSITIVE_INFINITY;

  /** When the next flow ends or has caught up. */
  get nextAt(): number {
    if (this.#isChanged) this.#update();
    return this.#nextAt;
  }

  /** Moves bytes. @throws what `abort` is given */
  transfer(options: FlowOptions): Promise<void> {
    this.#move();
    return new Promise((resolve, reject) => {
      const flow = new Flow(options, (error) => (error === undefined ? resolve() : reject(error)));
      this.#flows.push(flow);
      flow.slot = this.#flows.length - 1;
      for (const link of flow.links) {
        flow.slots.push(link.flows.length);
        link.flows.push(flow);
        this.#links.add(link);
      }
      flow.from?.readers.add(flow);
      if (flow.into !== undefined) flow.into.filler = flow;
      this.#isChanged = true;
    });
  }

  /** Ends all flows over a link. */
  abort(link: Link, error: Error): void {
    this.#move();
    for (const flow of [...link.flows]) this.#end(flow, error);
  }

  /** Goes to a point in time, which is not after `nextAt`, and ends the flows that are complete then. */
  advance(now: number): void {
    if (this.#isChanged) this.#update();
    this.#now = now;
    if (now < this.#nextAt) return;
    this.#move();
    for (const flow of this.#flows.filter(({ position, end }) => end - position <= toleranceBytes)) {
      flow.position = flow.end;
      if (flow.into !== undefined) {
        flow.into.position = flow.end;
        flow.into.isComplete = true;
      }
      this.#end(flow, undefined);
    }
    this.#isChanged = true;
  }

  /** Moves bytes until now. Rates have not changed since it was done last. */
  #move(): void {
    const seconds = this.#now - this.#movedUntil;
    if (seconds === 0) return;
    this.#movedUntil = this.#now;
    for (const link of this.#links) link.bytes += link.rate * seconds;
    for (const flow of this.#flows) {
      if (flow.rate === 0) continue;
      flow.position += flow.rate * seconds;
      if (flow.into !== undefined) flow.into.position = flow.position;
    }
  }

  #update(): void {
    this.#isChanged = false;
    shareFairly(this.#flows, [...this.#links]);
    let soonest = Number.POSITIVE_INFINITY;
    for (const flow of this.#flows) soonest = Math.min(soonest, secondsToNext(flow));
    this.#nextAt = this.#now + soonest;
  }

  #end(flow: Flow, error: Error | undefined): void {
    if (this.#flows[flow.slot] !== flow) return;
    moveLastTo(this.#flows, flow.slot, (moved, slot) => {
      moved.slot = slot;
    });
    for (const [at, link] of flow.links.entries()) {
      moveLastTo(link.flows, flow.slots[at] ?? 0, (moved, slot) => {
        moved.slots[moved.links.indexOf(link)] = slot;
      });
      if (link.flows.length === 0) {
        link.rate = 0;
        this.#links.delete(link);
      }
    }
    flow.from?.readers.delete(flow);
    if (flow.into?.filler === flow) flow.into.filler = undefined;
    this.#isChanged = true;
    flow.ended(error);
  }
}

/** Returns the seconds after which the rate of a flow may change on account of the flow itself. */
function secondsToNext(flow: Flow): number {
  const { rate, ahead } = flow;
  const left = flow.end - flow.position;
  if (left <= toleranceBytes) return 0;
  const ends = rate > 0 ? left / rate : Number.POSITIVE_INFINITY;
  if (ahead === Number.POSITIVE_INFINITY) return ends;
  const sourceRate = flow.from?.filler?.rate ?? 0;
  if (ahead < -toleranceBytes) return sourceRate > 0 ? -ahead / sourceRate : ends;
  if (ahead > toleranceBytes && rate > sourceRate) return Math.min(ends, ahead / (rate - sourceRate));
  return ends;
}

function moveLastTo(list: Flow[], slot: number, moved: (flow: Flow, slot: number) => void): void {
  const last = list.pop();
  if (last === undefined || slot === list.length) return;
  list[slot] = last;
  moved(last, slot);
}
