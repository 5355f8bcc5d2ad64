import { openListener } from "./listening/listener.js";
import type { ServeOptions } from "./serve-options.js";

export interface RegistryServer extends AsyncDisposable {
  /** `http://HOST:PORT`, or `https://HOST:PORT` with TLS. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Reads certificate and key again, for later connections. If they are not valid, those in use stay, and the error is logged. */
  reloadTls(): void;
  /**
   * Responds to new requests with 503, except for `/livez`, waits for in-flight requests for at most `graceMs`, and closes the server.
   * `/readyz` responds with 503 meanwhile.
   */
  drain(): Promise<void>;
  /** Stops listening, closes idle connections, and waits for in-flight requests for at most `graceMs`. */
  close(): Promise<void>;
}

/** Starts a server. @throws MOTE_LISTEN · MOTE_CONFIG if certificate or key are not valid */
export async function serve(options: ServeOptions): Promise<RegistryServer> {
  const { port = 0, signal } = options;
  const host = (options.host ?? "127.0.0.1").replace(/^\[(.*)\]$/, "$1");
  signal?.throwIfAborted();
  const listener = openListener(options);
  const bound = await listener.listen(host, port);
  const close = () => {
    signal?.removeEventListener("abort", close);
    return listener.close();
  };
  signal?.addEventListener("abort", close);
  if (signal?.aborted) {
    await close();
    signal.throwIfAborted();
  }
  const shownHost = host.includes(":") ? `[${host}]` : host;
  return {
    url: `${options.tls === undefined ? "http" : "https"}://${shownHost}:${bound}`,
    host,
    port: bound,
    reloadTls: () => listener.reloadTls(),
    drain: () => listener.drain(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
