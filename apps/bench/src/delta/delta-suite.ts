import { rm } from "node:fs/promises";
import { join } from "node:path";
import { needs, startDelayingProxy, startDockerRegistry } from "@mote/testbed";
import type { Comparison, Figure, Row } from "../compare.js";
import { type Measured, MoteTool } from "../pull/mote-tool.js";
import { packagePairs } from "./package-pairs.js";
import { pushImages, tags } from "./update-images.js";

const line = { delayMs: 20, connectMs: 20, bytesPerSecond: 1_000_000 };

/** What is read of the report of `mote delta`. */
interface DeltaReport {
  readonly deltas: readonly {
    readonly layers: readonly { readonly size: number; readonly diffBytes?: number }[];
    readonly newBytes: number;
  }[];
}

/** What is read of the report of `mote pull`. */
interface PullReport {
  readonly rebuilt: { readonly count: number };
}

/** Makes the delta between old and new versions of real packages, which are fetched first, and pulls the new ones with it. */
export async function* deltaSuite(folder: string): AsyncGenerator<Row, void, undefined> {
  const missing = needs("docker-registry");
  const pairs = missing === "" ? await packagePairs(folder) : [];
  if (pairs.length === 0) {
    console.error(`  delta${missing}`);
    return;
  }
  await using registry = await startDockerRegistry({ parent: folder });
  await using near = await startDelayingProxy(registry.host, { delayMs: 0 });
  await using far = await startDelayingProxy(registry.host, line);
  const repository = `${registry.host}/bench/update`;
  const tarMegabytes = (await pushImages(folder, repository, pairs)) / 1e6;
  const update = new Update(folder, repository);

  const [old, fresh, to] = [`${repository}:${tags.old}`, `${repository}:${tags.new}`, `docker://${repository}`];
  await update.prepare(tags.old, tags.new);
  const made = await update.mote.measured<DeltaReport>("delta", old, fresh, to);
  const { layers = [], newBytes = 0 } = made.report.deltas[0] ?? {};
  for (const [at, { name, packages }] of pairs.entries()) {
    const { size = 0, diffBytes = size } = layers[at] ?? {};
    yield known(`delta, ${packages} ${name}`, "% of the layer", 12, (100 * diffBytes) / size);
  }
  await update.prepare(tags.old);
  const image = `${near.host}/bench/update:${tags.new}`;
  const used = await update.pull(image);
  yield known("update, over the wire", "% of the layers", 12, (100 * near.responseBytes) / newBytes);
  yield known("layers without their own digest", "layers", 0, pairs.length - used.report.rebuilt.count);
  yield* costs("making the delta, replay included", made, tarMegabytes);
  yield* costs("update, replay included", used, tarMegabytes);
  await update.prepare(tags.recompressed);
  const before = near.responseBytes;
  await update.pull(image);
  const replayedPercent = (100 * (near.responseBytes - before)) / newBytes;
  yield known("other compressions are stored, over the wire", "% of the layers", 1, replayedPercent);
  yield update.race(`update, ${line.bytesPerSecond / 1e6} MB/s`, `${far.host}/bench/update:${tags.new}`, newBytes);
}

/** The update of an image by the command, in a cache of its own. */
class Update {
  readonly mote: MoteTool;
  readonly #repository: string;

  constructor(folder: string, repository: string) {
    this.mote = new MoteTool(join(folder, "updating"));
    this.#repository = repository;
  }

  /** Makes a cache that has these images only. */
  async prepare(...stored: readonly string[]): Promise<void> {
    await rm(this.mote.cache, { recursive: true, force: true });
    for (const tag of stored) await this.mote.run("pull", `${this.#repository}:${tag}`);
  }

  pull(image: string): Promise<Measured<PullReport>> {
    return this.mote.measured<PullReport>("pull", image, "--delta", "always");
  }

  /** Compares the update with a pull of the layers, where the old image is stored. */
  race(title: string, image: string, layerBytes: number): Comparison {
    const contender = (name: string, mode: string) => ({
      name,
      prepare: () => this.prepare(tags.old),
      run: () => this.mote.run("pull", image, "--delta", mode),
    });
    const goal = { goalTime: 0.4, mostPairs: 1 };
    const amount = { unit: "MB", amount: layerBytes / 1e6 } as const;
    return { title, ...amount, ...goal, mote: contender("mote", "always"), peer: contender("fetched", "never") };
  }
}

function* costs(what: string, { peakBytes, processorSeconds }: Measured<unknown>, tarMegabytes: number) {
  yield known(what, "CPU s per 6 MB", 1, (processorSeconds * 6) / tarMegabytes);
  yield known(`peak memory, ${what}`, "MB", 256, peakBytes / 1e6);
}

/** A row whose value does not vary enough to be worth minutes for each of several runs. */
function known(title: string, unit: string, atMost: number, value: number): Figure {
  return { title, unit, atMost, measure: async () => value };
}
