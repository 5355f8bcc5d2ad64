import { BulkTransport } from "./bulk-transport.js";
import {
  cutError,
  type HttpRequest,
  type HttpResponse,
  type HttpTransport,
  type TransportOptions,
} from "./http-transport.js";
import type { NodeClient } from "./node-client.js";

/** Connects directly. */
export class DirectTransport implements HttpTransport {
  readonly #options: TransportOptions;
  readonly #bulk: BulkTransport;
  /** Loaded when it is needed: most transfers from a registry only read. */
  #node: Promise<NodeClient> | undefined;
  #closed = false;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#bulk = new BulkTransport(options);
  }

  async exchange(request: HttpRequest): Promise<HttpResponse> {
    const response = request.bulk
      ? await this.#bulk.exchange(request, async (received) => (await this.#nodeClient()).replay(request, received))
      : undefined;
    return response ?? (await this.#nodeClient()).exchange(request);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#bulk.close();
    await (await this.#node)?.close();
  }

  #nodeClient(): Promise<NodeClient> {
    if (this.#closed) throw cutError("the connections are closed");
    this.#node ??= import("./node-client.js").then(({ NodeClient }) => new NodeClient(this.#options));
    return this.#node;
  }
}
