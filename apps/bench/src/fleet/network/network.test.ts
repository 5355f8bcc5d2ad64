import { describe, expect, it } from "vitest";
import { SeededRandom } from "../model/seeded-random.js";
import { shareFairly } from "./fair-shares.js";
import { Flow, Link, Progress } from "./flow.js";
import { Simulation } from "./simulation.js";

const tolerance = 1e-6;

describe("rates", () => {
  it("are max-min fair in random networks: each flow has a full link on which none is faster, or is as fast as what it follows", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const { flows, links } = randomNetwork(new SeededRandom(seed));
      shareFairly(flows, links);
      for (const link of links) {
        const sum = link.flows.reduce((total, { rate }) => total + rate, 0);
        expect(link.rate).toBeCloseTo(sum, 3);
        if (link.limits === "all") expect(sum, link.name).toBeLessThanOrEqual(link.bytesPerSecond * (1 + tolerance));
      }
      for (const flow of flows) expect(limitOf(flow), `seed ${seed}`).toBeDefined();
    }
  });

  it("are equal on one link", () => {
    const link = new Link("one", 90);
    const flows = [flowOver([link]), flowOver([link]), flowOver([link])];
    shareFairly(flows, [link]);
    expect(flows.map(({ rate }) => rate)).toEqual([30, 30, 30]);
  });

  it("leave to others what a flow cannot use", () => {
    const [wide, narrow] = [new Link("wide", 100), new Link("narrow", 10)];
    const flows = [flowOver([wide, narrow]), flowOver([wide])];
    shareFairly(flows, [wide, narrow]);
    expect(flows.map(({ rate }) => rate)).toEqual([10, 90]);
  });
});

describe("a transfer", () => {
  it("speeds up when another one ends", async () => {
    const simulation = new Simulation();
    const link = new Link("one", 100);
    const ends: number[] = [];
    for (const end of [100, 300]) {
      void simulation.network.transfer({ links: [link], start: 0, end }).then(() => ends.push(simulation.now));
    }
    await simulation.run();
    expect(ends[0]).toBeCloseTo(2);
    expect(ends[1]).toBeCloseTo(4);
    expect(link.bytes).toBeCloseTo(400);
  });

  it("that follows another one is not faster, and ends with it", async () => {
    const simulation = new Simulation();
    const [slow, fast] = [new Link("slow", 10), new Link("fast", 1_000)];
    const progress = new Progress();
    const ends: number[] = [];
    void simulation.network.transfer({ links: [slow], start: 0, end: 100, into: progress });
    simulation.at(5, () => {
      void simulation.network
        .transfer({ links: [fast], start: 0, end: 100, from: progress })
        .then(() => ends.push(simulation.now));
    });
    await simulation.run();
    expect(ends[0]).toBeCloseTo(10);
    expect(fast.bytes).toBeCloseTo(100);
  });

  it("waits for a byte that has not arrived yet where it reads", async () => {
    const simulation = new Simulation();
    const [slow, fast] = [new Link("slow", 10), new Link("fast", 1_000)];
    const progress = new Progress();
    void simulation.network.transfer({ links: [fast], start: 60, end: 100, from: progress });
    void simulation.network.transfer({ links: [slow], start: 0, end: 100, into: progress });
    await simulation.run();
    expect(fast.bytes).toBeCloseTo(40);
    expect(simulation.now).toBeCloseTo(10);
  });

  it("rejects when its link fails, with what has passed counted", async () => {
    const simulation = new Simulation();
    const link = new Link("one", 10);
    const failed = simulation.network.transfer({ links: [link], start: 0, end: 100 }).catch((error: Error) => error);
    simulation.at(3, () => simulation.network.abort(link, new Error("down")));
    await simulation.run();
    expect(await failed).toMatchObject({ message: "down" });
    expect(link.bytes).toBeCloseTo(30);
  });
});

/** Returns why a flow is not faster. */
function limitOf(flow: Flow): string | undefined {
  const sourceRate = flow.from?.filler?.rate ?? 0;
  if (flow.ahead < -1) return flow.rate === 0 ? "waits" : undefined;
  if (flow.isCaughtUp && flow.rate > sourceRate * (1 + tolerance)) return undefined;
  if (flow.isCaughtUp && flow.rate >= sourceRate * (1 - tolerance)) return "source";
  const full = flow.links.find((link) =>
    link.limits === "each"
      ? flow.rate >= link.bytesPerSecond * (1 - tolerance)
      : link.rate >= link.bytesPerSecond * (1 - tolerance) &&
        link.flows.every(({ rate }) => rate <= flow.rate * (1 + tolerance)),
  );
  return full?.name;
}

function randomNetwork(random: SeededRandom): { readonly flows: Flow[]; readonly links: Link[] } {
  const links = Array.from(
    { length: 1 + random.below(8) },
    (_, at) => new Link(`link ${at}`, 1 + random.below(1_000), random.next() < 0.2 ? "each" : "all"),
  );
  const flows: Flow[] = [];
  for (let count = 1 + random.below(30); count > 0; count--) {
    const path = random.shuffled(links).slice(0, 1 + random.below(3));
    const source = random.next() < 0.4 ? flows[random.below(Math.max(1, flows.length))] : undefined;
    const flow = new Flow(
      {
        links: path,
        start: source === undefined ? 50 : 50 - random.below(2) * 20,
        end: 100,
        from: source?.into,
        into: new Progress(),
      },
      () => {},
    );
    if (flow.into !== undefined) {
      flow.into.filler = flow;
      flow.into.position = flow.position;
    }
    flow.from?.readers.add(flow);
    for (const link of path) link.flows.push(flow);
    flows.push(flow);
  }
  return { flows, links };
}

function flowOver(links: readonly Link[]): Flow {
  const flow = new Flow({ links, start: 0, end: 100 }, () => {});
  for (const link of links) link.flows.push(flow);
  return flow;
}
