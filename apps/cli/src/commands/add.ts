import type { Context } from "../context.js";
import { openHouse } from "../wire.js";

export async function add(context: Context, files: readonly string[]): Promise<void> {
  await using mote = await openHouse(context);
  const added: { digest: string; size: number; file: string }[] = [];
  for (const file of files) {
    const { digest, size } = await mote.addFile(file, { signal: context.signal });
    added.push({ digest, size, file });
  }
  context.out.result(
    added,
    added.map(({ digest, file }) => `${digest}  ${file}`),
  );
}
