import {
  type ContentDestination,
  type ContentSource,
  type Logger,
  MoteError,
  type PathRef,
  type Ref,
} from "@mote/core";
import type { RegistryClient } from "@mote/registry";

/** Which class stands for a reference's transport. Packages are imported when the first reference wants them. */
export class Places {
  readonly #options: { readonly plainHttp: boolean; readonly logger: Logger };
  #registries: RegistryClient | undefined;

  constructor(options: { readonly plainHttp: boolean; readonly logger: Logger }) {
    this.#options = options;
  }

  async source(ref: Ref): Promise<ContentSource> {
    if (ref.transport === "docker") {
      const { RegistryRepository } = await import("@mote/registry");
      return new RegistryRepository(await this.#client(), ref);
    }
    const layout = await import("@mote/layout");
    switch (ref.transport) {
      case "oci":
        return new layout.LayoutSource(ref.path);
      case "oci-archive":
        return new layout.OciArchiveSource(ref.path);
      case "docker-archive":
        return new layout.DockerArchiveSource(ref.path);
      case "dir":
        return new layout.DirSource(ref.path);
      default:
        throw notMoved(ref);
    }
  }

  async destination(ref: Ref): Promise<ContentDestination> {
    if (ref.transport === "docker") {
      const { RegistryDestination } = await import("@mote/registry");
      return new RegistryDestination(await this.#client(), ref);
    }
    const layout = await import("@mote/layout");
    switch (ref.transport) {
      case "oci":
        return new layout.LayoutDestination(ref.path);
      case "oci-archive":
        return new layout.OciArchiveDestination(ref.path);
      case "docker-archive":
        return new layout.DockerArchiveDestination(ref.path);
      case "dir":
        return new layout.DirDestination(ref.path);
      default:
        throw notMoved(ref);
    }
  }

  async close(): Promise<void> {
    await this.#registries?.close();
  }

  /** One client for all repositories: it holds the connections and the tokens. */
  async #client(): Promise<RegistryClient> {
    const { dockerCredentials, RegistryClient } = await import("@mote/registry");
    this.#registries ??= new RegistryClient({ ...this.#options, credentials: dockerCredentials() });
    return this.#registries;
  }
}

/** `assertMovable` refuses these earlier, and says what to use instead. */
function notMoved({ transport }: PathRef): MoteError {
  return new MoteError("MOTE_UNSUPPORTED_TRANSPORT", `content is not moved over ${transport}`, {
    details: { transport },
  });
}
