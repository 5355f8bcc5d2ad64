import { type Digest, parseDigest } from "@mote/core";
import { type SeededRandom, Zipf } from "./seeded-random.js";

export interface Blob {
  readonly digest: Digest;
  readonly bytes: number;
}

export interface Image {
  readonly name: string;
  /** The manifest and the configuration, which the model treats as one. */
  readonly manifest: Blob;
  readonly layers: readonly Blob[];
}

export interface CatalogueOptions {
  readonly bases: number;
  readonly runtimes: number;
  readonly applications: number;
}

interface Application {
  readonly runtime: readonly Blob[];
  dependencies: readonly Blob[];
  version: number;
  image: Image;
}

const manifestBytes = 12_000;
const mega = 1e6;
/** One application in this many has a layer with data, such as a model. */
const largeEvery = 25;

/** Images that share layers: an application has layers of its own on those of a runtime, which are on that of a base. */
export class Catalogue {
  readonly #random: SeededRandom;
  readonly #applications: Application[] = [];
  #blobs = 0;

  constructor({ bases, runtimes, applications }: CatalogueOptions, random: SeededRandom) {
    this.#random = random;
    const base = Array.from({ length: bases }, () => this.#blob(35 * mega, 0.5));
    const runtime = Array.from({ length: runtimes }, (_, at) => [
      base[at % bases] ?? this.#blob(35 * mega, 0.5),
      this.#blob(20 * mega, 0.9),
      this.#blob(25 * mega, 1),
    ]);
    const popularity = new Zipf(runtimes, 1);
    for (let at = 0; at < applications; at++) {
      const dependencies = [this.#blob(10 * mega, 1.3), this.#blob(4 * mega, 1.3)];
      if (at % largeEvery === largeEvery - 1) dependencies.push(this.#blob(1_200 * mega, 0.4));
      const layers = runtime[popularity.draw(random)] ?? [];
      const image = this.#image(at, 0, [...layers, ...dependencies]);
      this.#applications.push({ runtime: layers, dependencies, version: 0, image });
    }
  }

  get count(): number {
    return this.#applications.length;
  }

  /** Returns the current version of an application, by its rank. */
  image(rank: number): Image {
    return this.#application(rank).image;
  }

  /** Builds an application again: its own layers change, its dependencies sometimes, its runtime never. */
  release(rank: number): Image {
    const application = this.#application(rank);
    const [first, ...others] = application.dependencies;
    const isUpgrade = first !== undefined && this.#random.next() < 0.25;
    if (isUpgrade) application.dependencies = [this.#blob(first.bytes, 0.1), ...others];
    application.version++;
    application.image = this.#image(rank, application.version, [...application.runtime, ...application.dependencies]);
    return application.image;
  }

  #application(rank: number): Application {
    const application = this.#applications[rank];
    if (application === undefined) throw new RangeError(`application ${rank} of ${this.count}`);
    return application;
  }

  #image(rank: number, version: number, shared: readonly Blob[]): Image {
    return {
      name: `app-${rank}:${version}`,
      manifest: { digest: this.#digest(), bytes: manifestBytes },
      layers: [...shared, this.#blob(5 * mega, 1.2), this.#blob(0.2 * mega, 1.5)],
    };
  }

  #blob(medianBytes: number, sigma: number): Blob {
    const bytes = this.#random.logNormal(medianBytes, sigma);
    return { digest: this.#digest(), bytes: Math.round(Math.min(Math.max(bytes, 200), 4_000 * mega)) };
  }

  /** Returns a digest as real ones look. */
  #digest(): Digest {
    this.#blobs++;
    return parseDigest(`sha256:${this.#blobs.toString(16).padStart(64, "0")}`);
  }
}
