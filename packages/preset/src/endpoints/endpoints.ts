import {
  type Cancellable,
  type ContentDestination,
  type ContentSource,
  type Digest,
  MoteError,
  type MoteReader,
  mediaTypes,
  type Ref,
  type RegistryRef,
} from "@mote/core";
import type { FilesDestination, FilesDestinationOptions } from "@mote/layout";
import type { TransportTable } from "@mote/ref";
import type { RegistryRepository } from "@mote/registry";
import { connectionOptions, type EndpointsOptions } from "./registries-options.js";
import type { DestinationContext, MoteTransport, OwnContext, Registries } from "./transports.js";

/** How long a registry is tried if the image is stored, in milliseconds from the start of the command. */
const defaultFallbackMs = 7_000;

/** Opens the locations of references by their transports. */
export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #transports: TransportTable<MoteTransport>;
  #registries: Registries | undefined;

  constructor(options: EndpointsOptions) {
    this.#options = options;
    this.#transports = options.references.transports;
  }

  get offline(): boolean {
    return this.#options.offline ?? false;
  }

  /** How long a registry is tried if the image is stored, in milliseconds. */
  get fallbackAfterMs(): number {
    return this.#options.registries?.fallbackAfterMs ?? defaultFallbackMs;
  }

  /** @throws MOTE_UNREACHABLE with `offline` · MOTE_UNSUPPORTED_TRANSPORT */
  async source(ref: Ref): Promise<ContentSource> {
    const source = await this.#transports.of(ref).openSource?.(ref, this.#context());
    if (source === undefined) throw notMoved(ref);
    return source;
  }

  /** @throws as `source` */
  async destination(ref: Ref, { overwrite }: Pick<DestinationContext, "overwrite"> = {}): Promise<ContentDestination> {
    const destination = await this.#transports.of(ref).openDestination?.(ref, this.#context({ overwrite }));
    if (destination === undefined) throw notMoved(ref);
    return destination;
  }

  #context(options: Pick<DestinationContext, "overwrite"> = {}): OwnContext {
    const { unpack, logger } = this.#options;
    return { ...options, unpack, logger, registries: (ref) => this.#open(ref) };
  }

  /** Opens a plain folder for the files of an artifact. */
  async folder(dir: string, { overwrite, link, only, arrange }: FilesDestinationOptions): Promise<FilesDestination> {
    const { FilesDestination } = await import("@mote/layout");
    return new FilesDestination(dir, { overwrite, link, only, arrange, ...this.#options.unpack });
  }

  /** Reads a blob of unknown size from a known location. `use` verifies it. */
  async readBlob(
    ref: Ref,
    digest: Digest,
    use: (reader: MoteReader) => Promise<void>,
    options: Cancellable = {},
  ): Promise<void> {
    if (ref.transport === "docker") {
      const { RegistryCache } = await import("@mote/registry");
      await using reader = await new RegistryCache((await this.#open(ref)).client, ref).moteReader(digest, options);
      return await use(reader);
    }
    const source = await this.source(ref);
    try {
      await this.prepare(source, ref, options);
      const unsized = { digest, size: 0, mediaType: mediaTypes.octetStream };
      await using reader = await source.blob(unsized, { ...options, verifyOnRead: false });
      await use(reader);
    } finally {
      await source[Symbol.asyncDispose]?.();
    }
  }

  /** Resolves the reference if the transport finds a blob only through its image. */
  async prepare(source: ContentSource, ref: Ref, options: Cancellable = {}): Promise<void> {
    if (!this.#transports.of(ref).byDigest) await source.resolve(ref, options);
  }

  async close(): Promise<void> {
    await this.#registries?.client.close();
  }

  /** Makes the disposal of what was opened also close these endpoints. */
  own<T extends Partial<AsyncDisposable>>(opened: T): T & AsyncDisposable {
    const dispose = opened[Symbol.asyncDispose]?.bind(opened);
    return Object.assign(opened, {
      [Symbol.asyncDispose]: async () => {
        await dispose?.();
        await this.close();
      },
    });
  }

  async #open({ registry }: RegistryRef): Promise<Registries> {
    if (this.offline) {
      throw new MoteError("MOTE_UNREACHABLE", `cannot reach ${registry}: --offline contacts no registry`, {
        details: { registry, reason: "offline" },
      });
    }
    return this.registries();
  }

  /** Opens a repository itself, without its mirrors. */
  async repository(ref: RegistryRef): Promise<RegistryRepository> {
    const { RegistryRepository } = await import("@mote/registry");
    return new RegistryRepository((await this.#open(ref)).client, ref);
  }

  /** Returns the registry client and the mirrors. */
  async registries(): Promise<Registries> {
    const { dockerCredentials, hostCertificates, MirrorTable, RegistryClient } = await import("@mote/registry");
    if (this.#registries !== undefined) return this.#registries;
    const { registries = {}, plainHttp, logger } = this.#options;
    const client = new RegistryClient({
      ...connectionOptions(registries, hostCertificates),
      plainHttp,
      logger,
      credentials: dockerCredentials({ logger }),
    });
    this.#registries = { client, mirrors: new MirrorTable(registries.mirrors) };
    return this.#registries;
  }
}

/** `assertMovable` rejects these earlier with better advice. */
function notMoved({ transport }: Ref): MoteError {
  return new MoteError("MOTE_UNSUPPORTED_TRANSPORT", `mote does not move content over ${transport}`, {
    details: { transport },
  });
}
