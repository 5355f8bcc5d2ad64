import { hasCode, isNotFound, MoteError, type PullThrough, parseImageName, type UpstreamRepository } from "@mote/core";
import { type ApiResponse, ErrorResponse, jsonResponse } from "../routing/response.js";
import type { Route, RoutedRequest } from "../routing/router.js";
import { upstreamError } from "./upstream-error.js";

const maxListBytes = 1024 * 1024;
const maxImages = 10_000;
/** Images of all requests that are fetched at once. */
const maxImagesAtOnce = 3;
/** Milliseconds after which an empty line is sent, so that the connection is not idle for long. */
const heartbeatMs = 10_000;

interface RequestedImage {
  /** As in the request. */
  readonly image: string;
  readonly repository: UpstreamRepository;
  readonly reference: string;
}

/**
 * Fetches images ahead of time (`POST /api/warm`) and asks upstreams for tags (`POST /api/refresh?image=`).
 */
export class WarmRequests {
  readonly routes: readonly Route[];
  readonly #pullThrough: PullThrough;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(pullThrough: PullThrough) {
    this.#pullThrough = pullThrough;
    this.routes = [
      { method: "POST", path: "/api/warm", respond: (routed) => this.#warm(routed) },
      { method: "POST", path: "/api/refresh", respond: (routed) => this.#refresh(routed) },
    ];
  }

  /** Responds with a line of JSON for each image when it is complete or has failed, and one for all. */
  async #warm({ query, request }: RoutedRequest): Promise<ApiResponse> {
    const images = imagesIn(await readList(request.body?.()));
    if (images.length > maxImages)
      throw new ErrorResponse(400, "UNSUPPORTED", `the list has more than ${maxImages} images`);
    const platforms = query.getAll("platform").flatMap((text) => text.split(","));
    const stop = new AbortController();
    const signal = AbortSignal.any([request.signal, stop.signal]);
    const lines = this.#lines(images, { platforms, signal });
    return {
      status: 200,
      headers: { "content-type": "application/x-ndjson" },
      body: { chunks: lines, close: async () => stop.abort(new Error("the response has ended")) },
    };
  }

  async *#lines(
    images: readonly string[],
    options: { readonly platforms: readonly string[]; readonly signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    const encoder = new TextEncoder();
    const line = (value: object) => encoder.encode(`${JSON.stringify(value)}\n`);
    let failed = 0;
    const pending = new Set<Promise<object>>();
    const done: object[] = [];
    for (const image of images) {
      const work: Promise<object> = this.#inTurn(() => this.#warmOne(image, options)).then((result) => {
        pending.delete(work);
        done.push(result);
        return result;
      });
      pending.add(work);
    }
    while (pending.size > 0 || done.length > 0) {
      for (const result of done.splice(0)) {
        if ("error" in result) failed++;
        yield line(result);
      }
      if (pending.size > 0 && (await nextOf(pending)) === undefined) yield encoder.encode("\n");
    }
    yield line({ images: images.length, failed });
  }

  async #warmOne(
    image: string,
    options: { readonly platforms: readonly string[]; readonly signal: AbortSignal },
  ): Promise<object> {
    let repository: UpstreamRepository | undefined;
    try {
      const parsed = this.#parse(image);
      repository = parsed.repository;
      return { image, ...(await this.#pullThrough.warm(repository, parsed.reference, options)) };
    } catch (error) {
      if (options.signal.aborted) return { image, error: { code: "MOTE_CLOSED", message: "the request was aborted" } };
      return { image, error: reportOf(error, repository) };
    }
  }

  async #refresh({ query, request }: RoutedRequest): Promise<ApiResponse> {
    const { image, repository, reference } = this.#parse(query.get("image") ?? "");
    try {
      const { descriptor } = await this.#pullThrough.refresh(repository, reference, { signal: request.signal });
      return jsonResponse(200, { image, digest: descriptor.digest });
    } catch (error) {
      throw responseTo(error, repository);
    }
  }

  /** Runs work when fewer than the maximum number of images are being fetched. */
  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running >= maxImagesAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  /** @throws ErrorResponse 400 for an image that is not valid, or not of an upstream */
  #parse(image: string): RequestedImage {
    const isNamed = /@|:[^/]*$/.test(image);
    const name = parseImageName(isNamed ? image : `${image}:latest`);
    const registry = name?.repository.registry;
    const path = name?.repository.path ?? "";
    const repository = name && this.#pullThrough.repository(path, registry);
    const reference = name?.digest ?? name?.tag;
    if (repository !== undefined && reference !== undefined) return { image, repository, reference };
    const reason = name === undefined ? "not a valid image name" : "not of an upstream of this mirror";
    throw new ErrorResponse(400, "NAME_INVALID", `${image.slice(0, 300)} is ${reason}; check the name, and --upstream`);
  }
}

/** Resolves to undefined if none has ended for a while. */
async function nextOf(pending: ReadonlySet<Promise<object>>): Promise<object | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), heartbeatMs);
  });
  try {
    return await Promise.race([...pending, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One image per line; `#` starts a comment. */
function imagesIn(list: string): string[] {
  return list.split("\n").flatMap((line) => {
    const image = line.replace(/(^|\s)#.*$/, "").trim();
    return image === "" ? [] : [image];
  });
}

async function readList(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array> = []): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > maxListBytes)
      throw new ErrorResponse(413, "UNSUPPORTED", `the list has more than ${maxListBytes} bytes`);
  }
  return text;
}

/** What a line says about an image that failed. */
function reportOf(error: unknown, repository: UpstreamRepository | undefined): object {
  const code = MoteError.isInstance(error) ? error.code : "MOTE_INVALID_REFERENCE";
  return { code, message: responseTo(error, repository).message };
}

/** @throws the error if it is not a `MoteError`, nor a response already */
function responseTo(error: unknown, repository: UpstreamRepository | undefined): ErrorResponse {
  if (error instanceof ErrorResponse) return error;
  if (!MoteError.isInstance(error) || repository === undefined) throw error;
  const { full, upstream } = repository;
  if (isNotFound(error)) return new ErrorResponse(404, "MANIFEST_UNKNOWN", `${full} does not have it`);
  const isOfCache = hasCode(error, "MOTE_NO_PLATFORM", "MOTE_UNWRITABLE");
  return isOfCache ? new ErrorResponse(500, "UNKNOWN", error.message) : upstreamError(error, upstream);
}
