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
import type { Route } from "../routing/router.js";
import { type Exchange, LocalExchange } from "../workers/exchange.js";
import { BackgroundValue } from "./background-value.js";
import { addFigures, isFigures } from "./figures.js";
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
  /** Whether the server accepts pushes. */
  readonly push?: object | undefined;
  /** The version that is shown. */
  readonly version?: string | undefined;
  /** The limit on the size of the cache that is shown, in bytes. */
  readonly maxCacheBytes?: number | undefined;
}

/** Images in each list of the page. */
const maxListed = 8;
const maxSearchLength = 200;
/** Messages between the processes. */
const question = "figures";

/** What a server says about itself: `/metrics`, `/api/status` and the page `/`. */
export interface Status {
  readonly statistics: Statistics;
  readonly routes: readonly Route[];
  close(): Promise<void>;
}

export function openStatus(options: StatusOptions): Status {
  const { source, tags, pullThrough, push, tls, version, maxCacheBytes } = options;
  const { logger = silentLogger, exchange = new LocalExchange() } = options;
  const list = new ImageList(source, tags);
  const statistics = new Statistics(pullThrough);
  exchange.answer(question, () => statistics.figures());
  const images = new BackgroundValue(async (background) => {
    const all = await list.find(background);
    return { all, summary: summarizeImages(all, maxListed) };
  }, logger);
  const cacheBytes = new BackgroundValue((background) => measure(source, background), logger);

  const figures = async () => addFigures((await exchange.ask(question)).filter(isFigures));

  /** Returns the URL by which the client has reached this server. The host was checked before. */
  const addressFor = (request: RequestContext) => {
    const hasTls = tls !== undefined || request.header("x-forwarded-proto") === "https";
    return `${hasTls ? "https" : "http"}://${request.header("host") || "localhost"}`;
  };

  const report = async (request: RequestContext) => {
    const found = await Promise.all([figures(), images.get(), cacheBytes.get()]);
    const input = { figures: found[0], cacheBytes: found[2], images: found[1]?.summary };
    const address = addressFor(request);
    const shown = statusReport({ ...input, version, address, maxCacheBytes }, Date.now());
    return { report: shown, images: found[1] };
  };

  const get = (path: string, respond: Route["respond"]): Route => ({ method: "GET", path, respond });
  const routes = [
    get("/", async ({ request, query }) => {
      const { report: shown, images: listed } = await report(request);
      const text = (query.get("q") ?? "").trim().slice(0, maxSearchLength);
      const search = text === "" ? undefined : { text, found: searchImages(listed?.all ?? [], text) };
      const defaultUpstream = pullThrough?.repository("any/name")?.upstream;
      const input = { report: shown, defaultUpstream, takesPushes: push !== undefined, search, nowMs: Date.now() };
      return textResponse(renderPage(input), pageHeaders);
    }),
    get("/api/status", async ({ request }) => {
      return jsonResponse(200, (await report(request)).report, { "cache-control": "no-store" });
    }),
    get("/metrics", async () => {
      const [counted, bytes] = await Promise.all([figures(), cacheBytes.get()]);
      const input = { figures: counted, version, cacheBytes: bytes, maxCacheBytes };
      const { text, contentType } = await formatMetrics(input);
      return textResponse(text, { "content-type": contentType, "cache-control": "no-store" });
    }),
  ];
  const close = async () => {
    statistics.close();
    await Promise.all([images.close(), cacheBytes.close()]);
  };
  return { statistics, routes, close };
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
