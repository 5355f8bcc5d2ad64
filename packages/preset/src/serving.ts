import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { digestBytes, type MoteCache } from "@mote/core";
import type { Channel, Exchange, ExchangeHub, PasswordAccess, PasswordAccessOptions } from "@mote/server";

/** Opens access control by passwords. @throws MOTE_CONFIG if the htpasswd file cannot be read or is not valid */
export async function openPasswordAccess(options: PasswordAccessOptions): Promise<PasswordAccess> {
  const { PasswordAccess } = await import("@mote/server");
  return new PasswordAccess(options);
}

/** Opens the exchange of a process that serves together with others. */
export async function openExchange(parent: Channel): Promise<Exchange> {
  const { WorkerExchange } = await import("@mote/server");
  return new WorkerExchange(parent);
}

/** Opens what connects the processes that serve one cache, in their parent. */
export async function openExchangeHub(): Promise<ExchangeHub> {
  const { ExchangeHub } = await import("@mote/server");
  return new ExchangeHub();
}

/**
 * Rejects if the cache cannot be read, for example because its disk is gone. `near`: the cache without the tier behind it, which may fail
 * without harm. `dir`: its folder; empty if it has none.
 */
export async function checkReadable(near: MoteCache, dir: string): Promise<void> {
  if (dir !== "") await readFile(join(dir, "oci-layout"));
  await near.moteExists(digestBytes(new Uint8Array()));
}
