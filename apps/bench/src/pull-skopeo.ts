import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { needs, startDelayingProxy, startDockerRegistry } from "@mote/testbed";
import type { Comparison, Row } from "./compare.js";
import { type Image, writeLayout } from "./image-layout.js";

const run = promisify(execFile);
const mote = fileURLToPath(new URL("../../cli/dist/main.js", import.meta.url));

const images: readonly Image[] = [
  { title: "5 layers, 125 MB", name: "large", layers: 5, layerBytes: 25_000_000 },
  { title: "200 layers, 2 MB", name: "small", layers: 200, layerBytes: 10_000 },
];
const huge: Image = { title: "one layer of 500 MB", name: "huge", layers: 1, layerBytes: 500_000_000 };
const delayMs = 20;

/** Prints the peak memory of the process in KiB at its end. */
const tellingPeak = `data:text/javascript,${encodeURIComponent(
  `import fs from "node:fs"; process.once("exit", () => process.stderr.write(fs.readFileSync("/proc/self/status", "utf8")));`,
)}`;

/** Compares complete processes with skopeo: from Debian's docker-registry on loopback into an image layout. */
export async function* pullSuite(folder: string): AsyncGenerator<Row, void, undefined> {
  const missing = needs("docker-registry", "skopeo");
  if (missing !== "") {
    console.error(`  pull${missing}`);
    return;
  }
  await using registry = await startDockerRegistry({ parent: folder });
  await using far = await startDelayingProxy(registry.host, { delayMs });
  const pulls = new Pulls(folder);
  for (const image of images) {
    await pulls.push(image, registry.host);
    const { title } = image;
    yield pulls.row(`cold pull, ${title}`, image, registry.host, { goalTime: 1.1, cold: true });
    const visible = { goalTime: 1, cold: true, durability: "visible" };
    yield pulls.row(`cold pull without syncs, ${title}`, image, registry.host, visible);
    yield pulls.row(`cold pull, each request ${delayMs} ms later, ${title}`, image, far.host, {
      goalTime: 0.8,
      cold: true,
    });
    yield pulls.row(`warm pull into a new layout, ${title}`, image, registry.host, { goalTime: 0.25, cold: false });
  }
  await pulls.push(huge, registry.host);
  yield {
    title: `peak memory of a cold pull, ${huge.title}`,
    unit: "MB",
    atMost: 150,
    measure: () => pulls.peakBytes(huge, registry.host).then((bytes) => bytes / 1e6),
  };
}

interface How {
  readonly goalTime: number;
  readonly cold: boolean;
  readonly durability?: string;
}

/** Runs the same pulls by mote and by skopeo, in separate directories below `folder`. */
class Pulls {
  readonly #folder: string;
  readonly #cache: string;
  readonly #ours: string;
  readonly #theirs: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#cache = join(folder, "cache");
    this.#ours = join(folder, "ours");
    this.#theirs = join(folder, "theirs");
  }

  async push(image: Image, host: string): Promise<void> {
    const layout = join(this.#folder, image.name);
    await writeLayout(layout, image);
    await skopeo("copy", "--dest-tls-verify=false", `oci:${layout}:1`, `docker://${host}/bench/${image.name}:1`);
    await rm(layout, { recursive: true });
  }

  row(title: string, image: Image, host: string, { goalTime, cold, durability }: How): Comparison {
    const source = `docker://${host}/bench/${image.name}:1`;
    return {
      title,
      unit: "MB",
      amount: (image.layers * image.layerBytes) / 1e6,
      goalTime,
      peer: {
        name: "skopeo",
        prepare: () => rm(this.#theirs, { recursive: true, force: true }),
        run: () => skopeo("copy", "--src-tls-verify=false", source, `oci:${this.#theirs}:1`),
      },
      mote: {
        name: "mote",
        prepare: () => this.#clear({ cold }),
        run: async () => void (await this.#pull(source, [], durability)),
      },
    };
  }

  async peakBytes(image: Image, host: string): Promise<number> {
    await this.#clear({ cold: true });
    const { stderr } = await this.#pull(`docker://${host}/bench/${image.name}:1`, ["--import", tellingPeak], undefined);
    return Number(/^VmHWM:\s+(\d+)/m.exec(stderr)?.[1]) * 1024;
  }

  async #clear({ cold }: { readonly cold: boolean }): Promise<void> {
    await rm(this.#ours, { recursive: true, force: true });
    if (cold) await rm(this.#cache, { recursive: true, force: true });
  }

  #pull(source: string, options: readonly string[], durability: string | undefined) {
    const command = [...options, mote, "pull", source, `oci:${this.#ours}:1`, "--cache", this.#cache, "--quiet"];
    const env = durability === undefined ? process.env : { ...process.env, MOTE_DURABILITY: durability };
    return run(process.execPath, command, { env });
  }
}

async function skopeo(...args: readonly string[]): Promise<void> {
  await run("skopeo", ["--insecure-policy", ...args]);
}
