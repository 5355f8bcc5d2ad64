import {
  type Cancellable,
  type Enumerable,
  type Logger,
  type MoteSource,
  type PullThrough,
  silentLogger,
  type TagStore,
} from "@mote/core";
import { type ApiResponse, jsonResponse, type RequestContext } from "../routing/response.js";
import type { Route, RoutedRequest } from "../routing/router.js";
import { type Exchange, LocalExchange } from "../workers/exchange.js";
import { BackgroundValue } from "./background-value.js";
import { addFigures, type Figures, isFigures } from "./figures.js";
import { ImageList, searchImages, summarizeImages } from "./image-list.js";
import { formatMetrics } from "./metrics.js";
import { pageHeaders, renderPage } from "./page/page.js";
import { Statistics } from "./statistics.js";
import { statusReport } from "./status-report.js";

export interface StatusOptions {
  readonly source: MoteSource & Partial<Enumerable>;
  readonly tags: TagStore;
  readonly pullThrough?: PullThrough | undefined;
  readonly logger?: Logger | undefined;
  /** Reaches the other processes that serve the cache: the figures are those of all. */
  readonly exchange?: Exchange | undefined;
  /** Whether clients reach the server with TLS. */
  readonly tls?: object | undefined;
  /** Whether the server takes pushes. */
  readonly push?: object | undefined;
  /** The version that is shown. */
  readonly version?: string | undefined;
  /** The limit on the size of the cache that is shown, in bytes. */
  readonly maxCacheBytes?: number | undefined;
}

/** Images in each list of the page. */
const maxListed = 8;
const maxSearchLength = 200;
/** What the processes ask each other. */
const question = "figures";

/** What a server says about itself: `/metrics`, `/api/status` and the page `/`. */
export class Status {
  readonly statistics: Statistics;
  readonly #options: StatusOptions;
  readonly #exchange: Exchange;
  readonly #images;
  readonly #cacheBytes;

  constructor(options: StatusOptions) {
    const { source, tags, pullThrough, logger = silentLogger, exchange = new LocalExchange() } = options;
    const list = new ImageList(source, tags);
    this.#options = options;
    this.statistics = new Statistics(pullThrough);
    this.#exchange = exchange;
    exchange.answer(question, () => this.statistics.figures());
    this.#images = new BackgroundValue(async (background) => {
      const all = await list.find(background);
      return { all, summary: summarizeImages(all, maxListed) };
    }, logger);
    this.#cacheBytes = new BackgroundValue((background) => measure(source, background), logger);
  }

  routes(): Route[] {
    const get = (path: string, respond: Route["respond"]): Route => ({ method: "GET", path, respond });
    return [
      get("/", (routed) => this.#page(routed)),
      get("/api/status", (routed) => this.#json(routed)),
      get("/metrics", () => this.#metrics()),
    ];
  }

  async close(): Promise<void> {
    this.statistics.close();
    await Promise.all([this.#images.close(), this.#cacheBytes.close()]);
  }

  async #metrics(): Promise<ApiResponse> {
    const { version, maxCacheBytes } = this.#options;
    const [figures, cacheBytes] = await Promise.all([this.#figures(), this.#cacheBytes.get()]);
    const { text, contentType } = await formatMetrics({ figures, version, cacheBytes, maxCacheBytes });
    return textResponse(text, { "content-type": contentType, "cache-control": "no-store" });
  }

  async #json({ request }: RoutedRequest): Promise<ApiResponse> {
    const { report } = await this.#report(request);
    return jsonResponse(200, report, { "cache-control": "no-store" });
  }

  async #page({ request, query }: RoutedRequest): Promise<ApiResponse> {
    const { report, images } = await this.#report(request);
    const text = (query.get("q") ?? "").trim().slice(0, maxSearchLength);
    const search = text === "" ? undefined : { text, found: searchImages(images?.all ?? [], text) };
    const { pullThrough, push } = this.#options;
    const defaultUpstream = pullThrough?.repository("any/name")?.upstream;
    const shown = { report, defaultUpstream, takesPushes: push !== undefined, search, nowMs: Date.now() };
    return textResponse(renderPage(shown), pageHeaders);
  }

  async #report(request: RequestContext) {
    const { version, maxCacheBytes } = this.#options;
    const found = [this.#figures(), this.#images.get(), this.#cacheBytes.get()] as const;
    const [figures, images, cacheBytes] = await Promise.all(found);
    const address = this.#addressFor(request);
    const input = { figures, version, address, cacheBytes, maxCacheBytes, images: images?.summary };
    return { report: statusReport(input, Date.now()), images };
  }

  async #figures(): Promise<Figures> {
    return addFigures((await this.#exchange.ask(question)).filter(isFigures));
  }

  /** Returns the URL by which the client has reached this server. The host was checked before. */
  #addressFor(request: RequestContext): string {
    const hasTls = this.#options.tls !== undefined || request.header("x-forwarded-proto") === "https";
    return `${hasTls ? "https" : "http"}://${request.header("host") || "localhost"}`;
  }
}

/** Sums up the sizes of what is stored. @throws TypeError if the cache cannot list it */
async function measure(source: Partial<Enumerable>, options: Cancellable): Promise<number> {
  let bytes = 0;
  if (source.motes === undefined) throw new TypeError("the cache cannot list its content");
  for await (const { size } of source.motes(options)) bytes += size;
  return bytes;
}

function textResponse(text: string, headers: Readonly<Record<string, string>>): ApiResponse {
  const body = new TextEncoder().encode(text);
  return { status: 200, headers: { ...headers, "content-length": String(body.byteLength) }, body };
}
