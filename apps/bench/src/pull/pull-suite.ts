import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { needs, startDelayingProxy, startDockerRegistry } from "@mote/testbed";
import type { Comparison, Row } from "../compare.js";
import { largeImage, type PullImage, realImage, smallImage, writeImage } from "./images.js";
import { MoteTool, processorMs } from "./mote-tool.js";
import { installedTools, type RegistryTool } from "./registry-tools.js";

const run = promisify(execFile);

/** A line with round trips of 20 ms, and 100 MB/s for all connections together. */
const line = { delayMs: 20, connectMs: 20, bytesPerSecond: 100_000_000 };
const isFar = "20 ms and 100 MB/s away";

/** What the time of a warm pull may exceed that of an empty script by, besides half of it. */
const mostWarmMs = 25;
const starts = 5;

/** Compares complete processes with the tools that are installed: from Debian's docker-registry on loopback into an image layout. */
export async function* pullSuite(folder: string): AsyncGenerator<Row, void, undefined> {
  const tools = installedTools();
  const missing = needs("docker-registry") || (tools.length === 0 ? needs("skopeo") : "");
  if (missing !== "") {
    console.error(`  pull${missing}`);
    return;
  }
  await using registry = await startDockerRegistry({ parent: folder });
  await using far = await startDelayingProxy(registry.host, line);
  const pulls = new Pulls(folder, tools);
  const goals = [
    { image: realImage, near: 1.5, distant: 1 },
    { image: smallImage, near: 1.25, distant: 0.5 },
  ];
  for (const { image, near, distant } of goals) {
    const { title } = image;
    await pulls.push(image, registry.host);
    yield pulls.row(`cold pull, ${title}`, image, registry.host, { goalTime: near, cold: true });
    yield pulls.row(`cold pull, ${isFar}, ${title}`, image, far.host, { goalTime: distant, cold: true });
    yield pulls.row(`warm pull into a new layout, ${title}`, image, registry.host, { goalTime: 0.25, cold: false });
    yield {
      title: `warm pull, beyond 1.5 × node -e 0, ${title}`,
      unit: "ms",
      atMost: mostWarmMs,
      measure: () => pulls.warmMs(image, registry.host),
    };
    yield {
      title: `processor time of a warm pull, ${title}`,
      unit: "ms",
      atMost: 150,
      measure: () => pulls.warmProcessorMs(image, registry.host),
    };
  }
  await pulls.push(largeImage, registry.host);
  const large = pulls.row(`cold pull, ${largeImage.title}`, largeImage, registry.host, { goalTime: 0.9, cold: true });
  yield { ...large, mostPairs: 3 };
  yield {
    title: `peak memory of a cold pull, ${largeImage.title}`,
    unit: "MB",
    atMost: 100,
    measure: () => pulls.peakMegabytes(largeImage, registry.host),
  };
}

/** Runs the same pulls by mote and by the other tools, in separate directories below `folder`. */
class Pulls {
  readonly #folder: string;
  readonly #tools: readonly RegistryTool[];
  readonly #mote: MoteTool;
  readonly #ours: string;
  #copies = 0;

  constructor(folder: string, tools: readonly RegistryTool[]) {
    this.#folder = folder;
    this.#tools = tools;
    this.#mote = new MoteTool(join(folder, "cache"));
    this.#ours = join(folder, "ours");
  }

  async push(image: PullImage, host: string): Promise<void> {
    const layout = join(this.#folder, image.name);
    await writeImage(layout, image);
    await this.#mote.push(layout, imageAt(host, image));
    await rm(layout, { recursive: true });
    await this.#clear({ cold: true });
  }

  row(title: string, image: PullImage, host: string, how: { goalTime: number; cold: boolean }): Comparison {
    const { goalTime, cold } = how;
    const source = imageAt(host, image);
    const theirs = join(this.#folder, "theirs");
    const clear = () => rm(theirs, { recursive: true, force: true });
    const [peer, ...others] = this.#tools.map(({ name, pull }) => {
      return { name, prepare: clear, run: () => pull(source, theirs), clear };
    });
    if (peer === undefined) throw new Error("no tool to compare with");
    return {
      title,
      unit: "MB",
      amount: image.megabytes,
      goalTime,
      peer,
      others,
      mote: {
        name: "mote",
        prepare: () => this.#clear({ cold }),
        run: () => this.#mote.pull(source, this.#ours),
        clear: () => this.#clear({ cold }),
      },
    };
  }

  async peakMegabytes(image: PullImage, host: string): Promise<number> {
    await this.#clear({ cold: true });
    const bytes = await this.#mote.peakOf("pull", `docker://${imageAt(host, image)}`, `oci:${this.#ours}:1`);
    await this.#clear({ cold: true });
    return bytes / 1e6;
  }

  /** Returns what a warm pull takes longer than one and a half times an empty script. */
  async warmMs(image: PullImage, host: string): Promise<number> {
    let differenceMs = 0;
    for (let start = 0; start < starts; start++) {
      const emptyMs = await timed(() => run(process.execPath, ["-e", "0"]));
      differenceMs += (await timed(() => this.#copyAgain(image, host))) - 1.5 * emptyMs;
    }
    return differenceMs / starts;
  }

  async warmProcessorMs(image: PullImage, host: string): Promise<number> {
    const beforeMs = processorMs();
    for (let start = 0; start < starts; start++) await this.#copyAgain(image, host);
    return (processorMs() - beforeMs) / starts;
  }

  /** Pulls into one more layout. Removing an earlier one would change the times of the blobs' files, which are then hashed again. */
  #copyAgain(image: PullImage, host: string): Promise<void> {
    return this.#mote.pull(imageAt(host, image), `${this.#ours}/${this.#copies++}`);
  }

  async #clear({ cold }: { readonly cold: boolean }): Promise<void> {
    await rm(this.#ours, { recursive: true, force: true });
    if (cold) await rm(this.#mote.cache, { recursive: true, force: true });
  }
}

function imageAt(host: string, { name }: PullImage): string {
  return `${host}/bench/${name}:1`;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
