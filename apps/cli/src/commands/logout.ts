import type { Context } from "../context.js";
import { logOut } from "../wire.js";

export async function logout(context: Context, host: string): Promise<void> {
  const { out } = context;
  const { registry, erased } = await logOut(context, host);
  const nothing = `nothing is kept for ${registry}`;
  out.result(
    { registry, erased },
    erased.length === 0 ? [nothing] : erased.map((place) => `${registry} is gone from ${place}`),
  );
}
