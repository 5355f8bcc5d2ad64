import {
  collectChunks,
  configPlatform,
  type Descriptor,
  inlinedBytes,
  type Manifest,
  MoteError,
  manifestKind,
  type Platform,
  readingCache,
  readMote,
  untilAborted,
} from "@mote/core";
import type { Job } from "./job.js";
import { assertBytes } from "./manifest-loader.js";
import { namedError } from "./named-error.js";

/** The largest config that is read for its platform, in bytes. */
const maxConfigBytes = 4 * 1024 * 1024;

/** Reads configs before the plan is made. Fetched configs are stored in the job, so that they are not fetched again. */
export class ConfigReader {
  readonly #job: Job;

  constructor(job: Job) {
    this.#job = job;
  }

  /** Reads and verifies a config. @throws MOTE_TOO_LARGE · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · what the source throws */
  async read(descriptor: Descriptor): Promise<Uint8Array> {
    const { digest, size } = descriptor;
    const known = this.#job.received.get(digest) ?? inlinedBytes(descriptor);
    if (known !== undefined) return known;
    if (size > maxConfigBytes) {
      throw new MoteError(
        "MOTE_TOO_LARGE",
        `the config ${digest} has ${size} bytes; the limit is ${maxConfigBytes} bytes`,
        {
          details: { digest, size },
        },
      );
    }
    const cached = await this.#fromCache(descriptor);
    if (cached !== undefined) return cached;
    const bytes = await this.#fromSource(descriptor);
    this.#job.received.set(digest, bytes);
    this.#job.tallies.add("fetched", digest, bytes.byteLength);
    return bytes;
  }

  async #fromCache({ digest }: Descriptor): Promise<Uint8Array | undefined> {
    const { cache, signal } = this.#job;
    try {
      const reading = readMote(cache, digest, { maxBytes: maxConfigBytes, signal: this.#job.signal });
      return await readingCache(reading);
    } catch {
      // The transfer reports errors of the cache.
      signal.throwIfAborted();
      return undefined;
    }
  }

  async #fromSource(descriptor: Descriptor): Promise<Uint8Array> {
    const { source } = this.#job;
    const options = this.#job.callOptions();
    const opening = source.blob(descriptor, { ...options, verifyOnRead: false });
    await using reader = await untilAborted(opening, options.signal);
    const bytes = await collectChunks(reader, { maxBytes: maxConfigBytes, what: `the config ${descriptor.digest}` });
    try {
      assertBytes(bytes, descriptor, "config");
      return bytes;
    } catch (error) {
      throw namedError(error, descriptor, source.ref);
    }
  }
}

/** Returns the platform in the config of a container image; undefined if there is none. */
export async function platformOf(configs: ConfigReader, manifest: Manifest): Promise<Platform | undefined> {
  if (manifest.kind !== "manifest" || manifestKind(manifest) !== "image" || manifest.config === undefined)
    return undefined;
  return configPlatform(await configs.read(manifest.config));
}
