import type { ContentDestination, ContentSource, Logger, Ref, RegistryRef, Transport } from "@mote/core";
import type { UnpackOptions } from "@mote/layout";
import { knownTransports } from "@mote/ref";
import type { MirrorTable, RegistryClient } from "@mote/registry";

export interface TransportContext {
  /** How much may come of archives. */
  readonly unpack?: UnpackOptions | undefined;
  readonly logger: Logger;
}

export interface DestinationContext extends TransportContext {
  /** Replace what is there with other content. */
  readonly overwrite?: boolean | undefined;
}

/** A row of the table of transports, with how it is opened. What reads must have `openSource`, what writes `openDestination`. */
export interface MoteTransport extends Transport {
  openSource?(ref: Ref, context: TransportContext): Promise<ContentSource>;
  openDestination?(ref: Ref, context: DestinationContext): Promise<ContentDestination>;
}

/** One client for all repositories: it holds the connections and the tokens. */
export interface Registries {
  readonly client: RegistryClient;
  readonly mirrors: MirrorTable;
}

/** What mote's own transports are opened with. Packages are imported when the first reference wants them. */
export interface OwnContext extends DestinationContext {
  /** @throws MOTE_UNREACHABLE if no registry may be contacted */
  registries(ref: RegistryRef): Promise<Registries>;
}

interface Opening {
  openSource(ref: Ref, context: OwnContext): Promise<ContentSource>;
  openDestination(ref: Ref, context: OwnContext): Promise<ContentDestination>;
}

const layout = () => import("@mote/layout");

/** By name. What is not here is read as a reference and not moved. */
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

/** The transports that mote knows, with how each is opened. */
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
