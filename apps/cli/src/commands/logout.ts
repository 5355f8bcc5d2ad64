import type { Context } from "../context.js";
import { logOut } from "../wire.js";

export async function logout(context: Context, host: string): Promise<void> {
  const { out } = context;
  const { registry, erased } = await logOut(context, host);
  const nothing = `no credentials stored for ${registry}`;
  out.result(
    { registry, erased },
    erased.length === 0 ? [nothing] : erased.map((store) => `removed credentials for ${registry} from ${store}`),
  );
}
