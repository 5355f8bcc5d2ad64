import { type Digest, type Lease, type Leases, type Logger, MoteError } from "@mote/core";

/** Protects pushed content from `prune` until the manifest that refers to it arrives: for at least `leaseMs`, at most twice that long. */
export function pushLeases(
  cache: Partial<Leases>,
  { leaseMs, logger }: { readonly leaseMs: number; readonly logger: Logger },
) {
  let latest: Promise<Lease> | undefined;
  let earlier: Promise<Lease> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  /** After that, check that the content is still stored. */
  async function add(digest: Digest): Promise<void> {
    if (cache.lease === undefined || isClosed) return;
    const current = latest ?? cache.lease([]);
    latest = current;
    timer ??= setInterval(() => rotate(), leaseMs).unref();
    try {
      await (await current).add(digest);
    } catch (error) {
      if (latest === current) latest = undefined;
      throw error;
    }
  }

  async function close(): Promise<void> {
    isClosed = true;
    clearInterval(timer);
    await Promise.all([release(earlier), release(latest)]);
  }

  function rotate(): void {
    void release(earlier);
    earlier = latest;
    latest = undefined;
    if (earlier !== undefined) return;
    clearInterval(timer);
    timer = undefined;
  }

  async function release(lease: Promise<Lease> | undefined): Promise<void> {
    try {
      await (await lease)?.release();
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      logger.debug("cannot release a lease", { error });
    }
  }

  return { add, close };
}

export type PushLeases = ReturnType<typeof pushLeases>;
