import type { Digest, Ref } from "@mote/core";
import type { RegistryEvent } from "@mote/registry";
import type { TransferEvent } from "@mote/transfer";

type Listener = (event: TransferEvent) => void;

/** Tells each transfer what the registries' client, which all of them share, does for it. */
export class RegistryEvents {
  readonly #listeners = new Set<(event: RegistryEvent) => void>();

  tell(event: RegistryEvent): void {
    for (const listen of this.#listeners) listen(event);
  }

  /** To be given to one transfer between `places`: `onEvent` hears of that, and of the client until `stop`. */
  listenFor(places: readonly (Ref | undefined)[], onEvent: Listener): { readonly onEvent: Listener; stop(): void } {
    const sizes = new Map<Digest, number>();
    const isOurs = ({ repository, digest }: RegistryEvent): boolean => {
      if (digest !== undefined && sizes.has(digest)) return true;
      return places.some((place) => place?.transport === "docker" && place.repository === repository);
    };
    const listen = (event: RegistryEvent): void => {
      if (!isOurs(event)) return;
      const { digest, registry } = event;
      const size = digest && sizes.get(digest);
      if (event.type === "resume") {
        const { offset, reason } = event;
        if (digest !== undefined && size !== undefined) onEvent({ type: "resume", digest, size, offset, reason });
      } else if (event.type === "retry") {
        const { host, attempt, retries, delayMs, reason } = event;
        onEvent({ type: "retry", digest, size, registry, host, reason, attempt, retries, delayMs });
      } else onEvent({ type: "wait", digest, size, registry, host: event.host });
    };
    this.#listeners.add(listen);
    return {
      onEvent(event) {
        if (event.type === "start") sizes.set(event.digest, event.size);
        else if (event.type === "done") sizes.delete(event.digest);
        onEvent(event);
      },
      stop: () => {
        this.#listeners.delete(listen);
      },
    };
  }
}
