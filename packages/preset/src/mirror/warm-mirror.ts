import { type Cancellable, isRecord, MoteError, parseRecord } from "@mote/core";
import { connectionOptions } from "../endpoints/registries-options.js";
import type { OpenMoteOptions } from "../mote.js";
import { textLines } from "../text-lines.js";

export interface WarmMirrorOptions extends Pick<OpenMoteOptions, "plainHttp" | "registries" | "logger">, Cancellable {
  /** As `OS/ARCH[/VARIANT]`. Default: all platforms. */
  readonly platforms?: readonly string[] | undefined;
  /** Called for each image when it is complete or has failed. */
  readonly onImage?: ((image: WarmedImage) => void) | undefined;
}

export interface WarmedImage {
  /** As in the list. */
  readonly image: string;
  readonly digest?: string | undefined;
  /** Bytes of its blobs, and of those that were missing. */
  readonly bytes?: number | undefined;
  readonly fetchedBytes?: number | undefined;
  /** Why it could not be fetched. */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/**
 * Has a running `mote serve` fetch images ahead of time.
 * @param url of the mirror @param list one image per line; `#` starts a comment
 * @throws MOTE_INVALID_REFERENCE · MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_NOT_FOUND if it is not a mirror · MOTE_UNREACHABLE · MOTE_REGISTRY
 */
export async function warmMirror(
  url: string,
  list: string,
  { platforms = [], onImage = () => {}, registries = {}, plainHttp, logger, signal }: WarmMirrorOptions = {},
): Promise<void> {
  const { dockerCredentials, hostCertificates, post, readRegistry, RegistryClient } = await import("@mote/registry");
  await using client = new RegistryClient({
    ...connectionOptions(registries, hostCertificates),
    // An image may take long, and only its end is reported.
    minBytesPerSecond: 0,
    credentials: dockerCredentials(logger === undefined ? {} : { logger }),
    plainHttp,
    logger,
  });
  const query = new URLSearchParams(platforms.map((platform): [string, string] => ["platform", platform]));
  const options = { body: new TextEncoder().encode(list), what: "a fetch of images", signal };
  await post(client, readRegistry(url), `/api/warm?${query}`, options, async ({ body }) => {
    let hasEnded = false;
    for await (const line of textLines(body, { maxLength: maxLineLength, tooLong })) {
      const value = parseRecord(line);
      if (value === undefined) continue;
      if (typeof value.image === "string") onImage(readImage(value.image, value));
      else hasEnded = typeof value.images === "number";
    }
    if (!hasEnded) throw new MoteError("MOTE_REGISTRY", `${url} ended its response early; run it again`);
  });
}

function readImage(image: string, { digest, bytes, fetchedBytes, error }: Record<string, unknown>): WarmedImage {
  if (isRecord(error)) return { image, error: { code: String(error.code), message: String(error.message) } };
  return { image, digest: String(digest), bytes: Number(bytes), fetchedBytes: Number(fetchedBytes) };
}

const maxLineLength = 64 * 1024;

function tooLong(): MoteError {
  return new MoteError("MOTE_REGISTRY", "the mirror sent a line that is too long");
}
