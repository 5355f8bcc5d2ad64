import { type Figures, firstByteBounds } from "./figures.js";

interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Default: that of the metric. */
  readonly metricName?: string;
}

/** As prom-client describes a metric. */
interface MetricSamples {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly aggregator: "sum";
  readonly values: readonly Sample[];
}

export interface MetricsInput {
  readonly figures: Figures;
  readonly version: string | undefined;
  /** Undefined while it is being measured. */
  readonly cacheBytes: number | undefined;
  readonly maxCacheBytes: number | undefined;
}

/** Formats all metrics as Prometheus reads them. Returns the text and its content type. */
export async function formatMetrics(
  input: MetricsInput,
): Promise<{ readonly text: string; readonly contentType: string }> {
  // Loaded with the first request, so that it does not delay the start of the server.
  const { AggregatorRegistry } = await import("prom-client");
  const registry = AggregatorRegistry.aggregate([metricsOf(input)]);
  return { text: await registry.metrics(), contentType: registry.contentType };
}

function metricsOf({ figures, version, cacheBytes, maxCacheBytes }: MetricsInput): MetricSamples[] {
  const { upstreams, fills, requests, process } = figures;
  const ofUpstreams = upstreams.map(({ name, state, traffic, lastSuccessMs }) => ({
    ...{ upstream: name, state, traffic, lastSuccessMs, rateLimit: traffic?.rateLimit },
  }));
  const { members = [] } = figures.fleet ?? {};
  return [
    counter("mote_hits_total", "Manifests and blobs answered without a request to an upstream.", figures.hits),
    counter("mote_misses_total", "Manifests and blobs for which an upstream was requested.", figures.misses),
    counter("mote_served_bytes_total", "Bytes of manifests and blobs sent to clients.", figures.servedBytes),
    samples("counter", "mote_pushes_total", "Blobs and manifests that were pushed.", [
      ...Object.entries(figures.pushes).map(([kind, value]) => ({ labels: { kind }, value })),
    ]),
    counter("mote_received_bytes_total", "Bytes of the bodies of requests, such as pushes.", figures.receivedBytes),
    samples("counter", "mote_requests_total", "Requests of clients by method and status; 0: the client disconnected.", [
      ...Object.entries(requests).map(([key, value]) => {
        const [method = "", status = ""] = key.split(" ");
        return { labels: { method, status }, value };
      }),
    ]),
    gauge("mote_requests_in_flight", "Client requests in progress.", figures.requestsInFlight),
    samples("counter", "mote_upstream_requests_total", "Requests to upstreams by status; error: no response.", [
      ...ofUpstreams.flatMap(({ upstream, traffic }) =>
        Object.entries(traffic?.requests ?? {}).map(([status, value]) => ({ labels: { upstream, status }, value })),
      ),
    ]),
    samples("counter", "mote_upstream_bytes_total", "Bytes of manifests and blobs received from upstreams.", [
      ...ofUpstreams.map(({ upstream, traffic }) => ({ labels: { upstream }, value: traffic?.receivedBytes ?? 0 })),
    ]),
    samples("counter", "mote_fleet_bytes_total", "Bytes of manifests and blobs received from other members.", [
      ...members.map(({ url, receivedBytes }) => ({ labels: { member: url }, value: receivedBytes })),
    ]),
    samples("counter", "mote_fleet_failures_total", "Blobs that another member could not send completely.", [
      ...members.map(({ url, failures }) => ({ labels: { member: url }, value: failures })),
    ]),
    samples("gauge", "mote_upstream_up", "1 if the upstream is requested, 0 while its circuit breaker is open.", [
      ...ofUpstreams.map(({ upstream, state }) => ({ labels: { upstream }, value: state === "open" ? 0 : 1 })),
    ]),
    samples("gauge", "mote_upstream_last_success_timestamp_seconds", "When the upstream last responded.", [
      ...ofUpstreams.flatMap(({ upstream, lastSuccessMs }) => optional({ upstream }, lastSuccessMs, 1000)),
    ]),
    samples("gauge", "mote_upstream_rate_limit", "Requests that the upstream accepts in its time window.", [
      ...ofUpstreams.flatMap(({ upstream, rateLimit }) => optional({ upstream }, rateLimit?.limit)),
    ]),
    samples("gauge", "mote_upstream_rate_limit_remaining", "Requests that the upstream still accepts.", [
      ...ofUpstreams.flatMap(({ upstream, rateLimit }) => optional({ upstream }, rateLimit?.remaining)),
    ]),
    samples("gauge", "mote_cache_bytes", "Bytes of the stored manifests and blobs.", optional({}, cacheBytes)),
    samples("gauge", "mote_cache_max_bytes", "The limit on the size of the cache.", optional({}, maxCacheBytes)),
    gauge("mote_fills_in_flight", "Blobs that are being fetched into the cache.", fills.length),
    firstByteHistogram(figures.firstByte),
    samples("gauge", "mote_info", "The version of mote.", optional({ version: version ?? "" }, 1)),
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", process.rssBytes),
    counter("process_cpu_seconds_total", "User and system CPU time spent in seconds.", process.cpuSeconds),
    gauge("process_start_time_seconds", "Start time since the Unix epoch in seconds.", figures.startedMs / 1000),
  ].filter(({ values }) => values.length > 0);
}

function samples(type: MetricSamples["type"], name: string, help: string, values: readonly Sample[]): MetricSamples {
  return { name, help, type, aggregator: "sum", values };
}

function counter(name: string, help: string, value: number): MetricSamples {
  return samples("counter", name, help, [{ labels: {}, value }]);
}

function gauge(name: string, help: string, value: number): MetricSamples {
  return samples("gauge", name, help, [{ labels: {}, value }]);
}

function optional(labels: Sample["labels"], value: number | undefined, divisor = 1): Sample[] {
  return value === undefined ? [] : [{ labels, value: value / divisor }];
}

function firstByteHistogram({ counts, sumSeconds }: Figures["firstByte"]): MetricSamples {
  const name = "mote_first_byte_seconds";
  let total = 0;
  const buckets = [...firstByteBounds.map(String), "+Inf"].map((le, at) => {
    total += counts[at] ?? 0;
    return { metricName: `${name}_bucket`, labels: { le }, value: total };
  });
  const help = "Time from a request for a manifest or blob to the first byte of its body.";
  return samples("histogram", name, help, [
    ...buckets,
    { metricName: `${name}_sum`, labels: {}, value: sumSeconds },
    { metricName: `${name}_count`, labels: {}, value: total },
  ]);
}
