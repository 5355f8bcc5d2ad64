import {
  type Cancellable,
  type ContentDestination,
  type ContentSource,
  type Digest,
  MoteError,
  type MoteReader,
  mediaTypes,
  type PathRef,
  type Ref,
  type RegistryRef,
} from "@mote/core";
import type { FilesDestination, FilesDestinationOptions } from "@mote/layout";
import type { MirrorTable, RegistryClient } from "@mote/registry";
import { defaultFallbackMs } from "../sources/retry-budget.js";
import { connectionOptions, type EndpointsOptions } from "./registries-options.js";
import { RegistryEvents } from "./registry-events.js";

/** Which class stands for a reference's transport. Packages are imported when the first reference wants them. */
export class Endpoints {
  readonly events = new RegistryEvents();
  readonly #options: EndpointsOptions;
  #registries: Registries | undefined;

  constructor(options: EndpointsOptions) {
    this.#options = options;
  }

  /** Whether no registry may be asked. */
  get offline(): boolean {
    return this.#options.offline ?? false;
  }

  /** Milliseconds that a registry is asked for an image that is stored. */
  get fallbackAfterMs(): number {
    return this.#options.registries?.fallbackAfterMs ?? defaultFallbackMs;
  }

  /** @throws MOTE_UNREACHABLE where no registry may be asked */
  async source(ref: Ref): Promise<ContentSource> {
    if (ref.transport === "docker") {
      const { MirroredRepository, RegistryRepository } = await import("@mote/registry");
      const { client, mirrors } = await this.#open(ref);
      const places = mirrors.of(ref);
      return places.length === 0 ? new RegistryRepository(client, ref) : new MirroredRepository(client, ref, places);
    }
    const layout = await import("@mote/layout");
    switch (ref.transport) {
      case "oci":
        return new layout.LayoutSource(ref.path);
      case "oci-archive":
        return new layout.OciArchiveSource(ref.path, this.#options.unpack);
      case "docker-archive":
        return new layout.DockerArchiveSource(ref.path, this.#options.unpack);
      case "dir":
        return new layout.DirSource(ref.path);
      default:
        throw notMoved(ref);
    }
  }

  /** Where a registry's repository is read before itself, once it was opened. */
  mirrorsOf(ref: Ref | undefined): readonly Ref[] {
    if (ref?.transport !== "docker") return [];
    return (this.#registries?.mirrors.of(ref) ?? []).map(({ registry, repository }) => ({
      transport: "docker",
      registry,
      repository,
    }));
  }

  async destination(
    ref: Ref,
    { overwrite }: { readonly overwrite?: boolean | undefined } = {},
  ): Promise<ContentDestination> {
    if (ref.transport === "docker") {
      const { RegistryDestination } = await import("@mote/registry");
      return new RegistryDestination((await this.#open(ref)).client, ref);
    }
    const layout = await import("@mote/layout");
    const { logger } = this.#options;
    switch (ref.transport) {
      case "oci":
        return new layout.LayoutDestination(ref.path);
      case "oci-archive":
        return new layout.OciArchiveDestination(ref.path, { overwrite, logger });
      case "docker-archive":
        return new layout.DockerArchiveDestination(ref.path, { overwrite, logger });
      case "dir":
        return new layout.DirDestination(ref.path);
      default:
        throw notMoved(ref);
    }
  }

  /** A plain folder, for an artifact's files. */
  async folder(dir: string, { overwrite, link }: FilesDestinationOptions): Promise<FilesDestination> {
    const { FilesDestination } = await import("@mote/layout");
    return new FilesDestination(dir, { overwrite, link, ...this.#options.unpack });
  }

  /** Gives a blob of which only the digest is known, from where it was seen, to `use`, which verifies it. */
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
      if (ref.transport === "docker-archive") await source.resolve(ref, options);
      const unsized = { digest, size: 0, mediaType: mediaTypes.octetStream };
      await using reader = await source.blob(unsized, { ...options, verifyOnRead: false });
      await use(reader);
    } finally {
      await source[Symbol.asyncDispose]?.();
    }
  }

  async close(): Promise<void> {
    await this.#registries?.client.close();
  }

  /** One client for all repositories: it holds the connections and the tokens. */
  async #open({ registry }: RegistryRef): Promise<Registries> {
    if (this.offline) {
      throw new MoteError("MOTE_UNREACHABLE", `${registry} is not asked, as nobody is (--offline)`, {
        details: { registry, reason: "offline" },
      });
    }
    const { dockerCredentials, hostCertificates, MirrorTable, RegistryClient } = await import("@mote/registry");
    if (this.#registries !== undefined) return this.#registries;
    const { registries = {}, plainHttp, logger } = this.#options;
    const client = new RegistryClient({
      ...connectionOptions(registries, hostCertificates),
      plainHttp,
      logger,
      credentials: dockerCredentials({ logger }),
      onEvent: (event) => this.events.tell(event),
    });
    this.#registries = { client, mirrors: new MirrorTable(registries.mirrors) };
    return this.#registries;
  }
}

interface Registries {
  readonly client: RegistryClient;
  readonly mirrors: MirrorTable;
}

/** `assertMovable` refuses these earlier, and says what to use instead. */
function notMoved({ transport }: PathRef): MoteError {
  return new MoteError("MOTE_UNSUPPORTED_TRANSPORT", `content is not moved over ${transport}`, {
    details: { transport },
  });
}
