import type { Context } from "../context.js";
import { formatRef, parsePersonalRef } from "../wire.js";

export async function ref(context: Context, text: string): Promise<void> {
  const parsed = parsePersonalRef(text);
  const canonical = formatRef(parsed, { scheme: true });
  context.out.result({ ...parsed, canonical }, [
    ...Object.entries(parsed).map(([field, value]) => `${field.padEnd(11)} ${value}`),
    `canonical   ${canonical}`,
  ]);
}
