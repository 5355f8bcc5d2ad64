import type { Context } from "../context.js";
import { readList } from "../input/read-list.js";
import { count, formatBytes } from "../output/quantity.js";
import { type WarmedImage, warmMirror } from "../wire.js";

const maxListBytes = 1024 * 1024;

/** Has a running mirror fetch the images of a list. */
export async function serveWarm(
  context: Context,
  file: string,
  { url, platform }: { readonly url: string; readonly platform?: string },
): Promise<void> {
  const { out } = context;
  const images: WarmedImage[] = [];
  const onImage = (warmed: WarmedImage) => {
    images.push(warmed);
    const { image, error, fetchedBytes = 0 } = warmed;
    if (error !== undefined) out.warn(`cannot fetch ${image}: ${error.message} [${error.code}]`);
    else out.note(`${image}: ${fetchedBytes === 0 ? "already complete" : `fetched ${formatBytes(fetchedBytes)}`}`);
  };
  await warmMirror(context, url, await readList(file, maxListBytes), { platforms: platform?.split(","), onImage });
  const failed = images.filter(({ error }) => error !== undefined);
  if (failed.length > 0) process.exitCode = 1;
  const complete = images.flatMap(({ image, digest }) => (digest === undefined ? [] : `${image} ${digest}`));
  out.result({ images, failed: failed.length }, complete);
  out.note(`${count(complete.length, "image")} complete, ${failed.length} failed`);
}
