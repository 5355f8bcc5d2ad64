import { describe, expect, it } from "vitest";
import { day, rushImage, site } from "../scenarios.js";
import type { Measured } from "./measured.js";
import { simulate } from "./simulate.js";
import type { Outage, SiteOptions, System } from "./site.js";
import { makeRush, makeTrace } from "./trace.js";

const trace = makeTrace({ ...day, hours: 1, nodes: 40, runners: 10, deploymentsPerHour: 6, applications: 60 });
const small: SiteOptions = { ...site, clients: 50, motes: 4 };
const dying: readonly Outage[] = [100, 700, 1_500].map((at) => ({
  kind: "mote",
  at,
  downSeconds: 60,
  losesDisk: at === 700,
}));

const run = (system: System, outages: readonly Outage[] = [], options: Partial<SiteOptions> = {}) =>
  simulate({ system, options: { ...small, ...options }, trace, outages });

/** The bytes of the blobs that clients need, found without the model. */
const needed = new Set<string>();
let uniqueBytes = 0;
for (const { image, client } of trace.pulls) {
  const stored = client < trace.firstRunner ? (trace.stored[client] ?? []) : [];
  const has = new Set(stored.flatMap(({ layers }) => layers.map(({ digest }) => digest)));
  for (const { digest, bytes } of [image.manifest, ...image.layers]) {
    if (has.has(digest) || needed.has(digest)) continue;
    needed.add(digest);
    uniqueBytes += bytes;
  }
}

describe("each system", () => {
  it.each<[string, System, readonly Outage[], Partial<SiteOptions>]>([
    ["a fleet", "fleet", [], {}],
    ["a fleet whose motes die", "fleet", dying, {}],
    ["a fleet whose bucket is down", "fleet", [{ kind: "bucket", at: 600, downSeconds: 600 }], {}],
    ["a fleet without a bucket", "fleet", dying, { hasBucket: false, leasesIn: "redis" }],
    ["a fleet with small disks", "fleet", dying, { diskBytes: 1e9 }],
    ["a proxy", "proxy", [], {}],
    ["a proxy that dies", "proxy", dying, {}],
    ["every node on its own", "own", [], {}],
  ])(
    "delivers all blobs completely, and sends as many bytes as are received: %s",
    async (_, system, outages, options) => {
      const measured = await run(system, outages, options);
      expect(measured.pulls).toBe(trace.pulls.length);
      expect(measured.incompleteBlobs).toBe(0);
      expectSame(measured.clientBytes, measured.deliveredBytes);
      expectSame(sentBytes(measured), receivedBytes(measured));
      expect(measured.upstreamBytes).toBeGreaterThan(measured.uniqueBytes - 1);
    },
  );
});

it("counts unique bytes independently of the model", async () => {
  const { uniqueBytes: counted } = await run("own");
  expect(counted).toBe(uniqueBytes);
});

it("fetches no more with a fleet than with a proxy, and no more with a proxy than on every node", async () => {
  const [fleet, proxy, own] = await Promise.all([run("fleet"), run("proxy"), run("own")]);
  expectSame(fleet.upstreamBytes, uniqueBytes);
  expect(fleet.upstreamBytes).toBeLessThanOrEqual(proxy.upstreamBytes * (1 + 1e-9));
  expect(proxy.upstreamBytes).toBeLessThan(own.upstreamBytes);
});

it("writes each blob to the bucket once, and again only those whose write a mote did not survive", async () => {
  const { tierWriteBytes, tierWrites } = await run("fleet");
  expectSame(tierWriteBytes, uniqueBytes);
  expect(tierWrites).toBe(needed.size);
  expect((await run("fleet", dying)).tierWrites - needed.size).toBeLessThanOrEqual(4 * dying.length);
});

it("has the same result for the same seed, and another one for another seed", async () => {
  expect(await run("fleet", dying)).toEqual(await run("fleet", dying));
  const other = makeTrace({
    ...day,
    seed: 15,
    hours: 1,
    nodes: 40,
    runners: 10,
    deploymentsPerHour: 6,
    applications: 60,
  });
  expect((await simulate({ system: "fleet", options: small, trace: other })).uniqueBytes).not.toBe(uniqueBytes);
});

it("fetches a blob once if all clients need it at the same moment, and continues at the byte if the holder dies", async () => {
  const rush = makeRush({ seed: 1, clients: 50, image: rushImage() });
  const calm = await simulate({ system: "fleet", options: small, trace: rush });
  expectSame(calm.upstreamBytes, calm.uniqueBytes);
  const outages: readonly Outage[] = [{ kind: "mote", at: 0, downSeconds: 60, losesDisk: true }];
  const died = await simulate({ system: "fleet", options: small, trace: rush, outages });
  // At most what the holder was ahead of its followers is fetched again.
  expect(died.upstreamBytes / died.uniqueBytes).toBeLessThan(1.1);
});

function sentBytes({ upstreamBytes, moteSentBytes, tierReadBytes }: Measured): number {
  return upstreamBytes + moteSentBytes + tierReadBytes;
}

function receivedBytes({ clientBytes, moteReceivedBytes, tierWriteBytes }: Measured): number {
  return clientBytes + moteReceivedBytes + tierWriteBytes;
}

/** Positions are rounded to less than a byte when a flow ends. */
function expectSame(one: number, other: number): void {
  expect(Math.abs(one - other) / other).toBeLessThan(1e-6);
}
