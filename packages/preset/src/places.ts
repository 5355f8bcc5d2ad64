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
    const { LayoutSource } = await import("@mote/layout");
    return new LayoutSource(layoutFolder(ref));
  }

  async destination(ref: Ref): Promise<ContentDestination> {
    if (ref.transport === "docker") {
      const { RegistryDestination } = await import("@mote/registry");
      return new RegistryDestination(await this.#client(), ref);
    }
    const { LayoutDestination } = await import("@mote/layout");
    return new LayoutDestination(layoutFolder(ref));
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

function layoutFolder(ref: PathRef): string {
  if (ref.transport === "oci") return ref.path;
  throw new MoteError("MOTE_UNSUPPORTED_TRANSPORT", `content is not moved over ${ref.transport}`, {
    details: { transport: ref.transport },
  });
}
