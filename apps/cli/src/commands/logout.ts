import type { Context } from "../context.js";
import { logOut } from "../wire.js";

export async function logout({ out, signal }: Context, host: string): Promise<void> {
  const { registry, erased } = await logOut(host, { signal });
  const nothing = `nothing is kept for ${registry}`;
  out.result(
    { registry, erased },
    erased.length === 0 ? [nothing] : erased.map((place) => `${registry} is gone from ${place}`),
  );
}
