import type { Digest } from "@mote/core";

/** Which repositories of a registry have which blobs, and which blobs are being sent, so that each is sent once. */
export class SentBlobs {
  readonly #repositories = new Map<Digest, Set<string>>();
  readonly #sending = new Map<Digest, Promise<void>>();

  /** Records that a repository has the blob. */
  record(digest: Digest, repository: string): void {
    const known = this.#repositories.get(digest);
    if (known === undefined) this.#repositories.set(digest, new Set([repository]));
    else known.add(repository);
  }

  /** Returns the repositories that have the blob, the first one first. */
  repositoriesWith(digest: Digest): ReadonlySet<string> {
    return this.#repositories.get(digest) ?? noRepositories;
  }

  /** Resolves when the blob is no longer being sent; undefined if it is not. */
  sending(digest: Digest): Promise<void> | undefined {
    return this.#sending.get(digest);
  }

  /** Begins to send a blob that is not being sent. Call the result when it was sent or has failed; more than once is harmless. */
  begin(digest: Digest): () => void {
    let end = () => {};
    const sending = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#sending.set(digest, sending);
    return () => {
      if (this.#sending.get(digest) === sending) this.#sending.delete(digest);
      end();
    };
  }
}

const noRepositories: ReadonlySet<string> = new Set();
