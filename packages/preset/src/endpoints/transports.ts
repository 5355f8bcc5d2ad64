import type { ContentDestination, ContentSource, Logger, Ref, RegistryRef, Transport } from "@mote/core";
import type { UnpackOptions } from "@mote/layout";
import { knownTransports } from "@mote/ref";
import type { MirrorTable, RegistryClient } from "@mote/registry";

export interface TransportContext {
  /** Limits on extracting archives. */
  readonly unpack?: UnpackOptions | undefined;
  readonly logger: Logger;
}

export interface DestinationContext extends TransportContext {
  /** Replace existing content that differs. */
  readonly overwrite?: boolean | undefined;
}

/** A transport, and how to open it: `openSource` for reading, `openDestination` for writing. */
export interface MoteTransport extends Transport {
  openSource?(ref: Ref, context: TransportContext): Promise<ContentSource>;
  openDestination?(ref: Ref, context: DestinationContext): Promise<ContentDestination>;
}

/** The client shared by all repositories, and the mirrors. */
export interface Registries {
  readonly client: RegistryClient;
  readonly mirrors: MirrorTable;
}

/** The context for the built-in transports. Their packages are imported on first use. */
export interface OwnContext extends DestinationContext {
  /** @throws MOTE_UNREACHABLE if offline */
  registries(ref: RegistryRef): Promise<Registries>;
}

interface Opening {
  openSource(ref: Ref, context: OwnContext): Promise<ContentSource>;
  openDestination(ref: Ref, context: OwnContext): Promise<ContentDestination>;
}

const layout = () => import("@mote/layout");

/** By name. References with any other known transport can be parsed, but not opened. */
const openings: Readonly<Record<string, Opening>> = {
  docker: {
    async openSource(ref, context) {
      const repository = registryRef(ref);
      const { MirroredRepository, RegistryRepository } = await import("@mote/registry");
      const { client, mirrors } = await context.registries(repository);
      const found = mirrors.of(repository);
      return found.length === 0
        ? new RegistryRepository(client, repository)
        : new MirroredRepository(client, repository, found);
    },
    async openDestination(ref, context) {
      const repository = registryRef(ref);
      const { RegistryDestination } = await import("@mote/registry");
      return new RegistryDestination((await context.registries(repository)).client, repository);
    },
  },
  oci: {
    openSource: async (ref) => new (await layout()).LayoutSource(pathOf(ref)),
    openDestination: async (ref) => new (await layout()).LayoutDestination(pathOf(ref)),
  },
  "oci-archive": {
    openSource: async (ref, { unpack }) => new (await layout()).OciArchiveSource(pathOf(ref), unpack),
    openDestination: async (ref, options) => new (await layout()).OciArchiveDestination(pathOf(ref), options),
  },
  "docker-archive": {
    openSource: async (ref, { unpack }) => new (await layout()).DockerArchiveSource(pathOf(ref), unpack),
    openDestination: async (ref, options) => new (await layout()).DockerArchiveDestination(pathOf(ref), options),
  },
  dir: {
    openSource: async (ref) => new (await layout()).DirSource(pathOf(ref)),
    openDestination: async (ref) => new (await layout()).DirDestination(pathOf(ref)),
  },
};

/** The built-in transports. */
export const transports: readonly MoteTransport[] = knownTransports.rows.map((row) => ({
  ...row,
  ...openings[row.name],
}));

function registryRef(ref: Ref): RegistryRef {
  if (ref.transport !== "docker") throw new TypeError("not a registry's reference");
  return ref;
}

function pathOf(ref: Ref): string {
  if (ref.transport === "docker") throw new TypeError("not a path's reference");
  return ref.path;
}
