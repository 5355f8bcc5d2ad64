import type { Context } from "../context.js";
import { openCache } from "../wire.js";

export async function add(context: Context, files: readonly string[]): Promise<void> {
  await using mote = await openCache(context);
  const added: { digest: string; size: number; file: string }[] = [];
  for (const file of files) {
    const { signal } = context;
    const { digest, size } = await (file === "-"
      ? mote.addStream(process.stdin, { signal })
      : mote.addFile(file, { signal }));
    added.push({ digest, size, file });
  }
  context.out.result(
    added,
    added.map(({ digest, file }) => `${digest}  ${file}`),
  );
}
