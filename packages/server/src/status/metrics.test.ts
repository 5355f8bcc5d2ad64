import { expect, it } from "vitest";
import { formatMetrics } from "./metrics.js";
import { Statistics } from "./statistics.js";

const hostile = 'a"b\\c\nd.example';

async function metricsOf(statistics: Statistics): Promise<string> {
  const input = { figures: statistics.figures(), version: "1.2.3", cacheBytes: 5, maxCacheBytes: undefined };
  return (await formatMetrics(input)).text;
}

it("requests are counted by method and status, with a bounded number of labels", async () => {
  const statistics = new Statistics(undefined);
  const end = (method: string, status: number) => statistics.begin().ended(method, "/", status);
  end("GET", 200);
  end("GET", 200);
  for (const method of ["BREW", "x".repeat(1000)]) end(method, 405);
  const text = await metricsOf(statistics);
  statistics.close();
  expect(text).toContain('mote_requests_total{method="GET",status="200"} 2\n');
  expect(text).toContain('mote_requests_total{method="other",status="405"} 2\n');
});

it("only manifests and blobs count as hits, misses and served bytes", async () => {
  const statistics = new Statistics(undefined);
  for (const isHit of [true, true, false, undefined]) {
    const exchange = statistics.begin();
    exchange.answered(isHit);
    exchange.sent(100);
    exchange.sent(10);
    exchange.ended("GET", "/", 200);
  }
  const text = await metricsOf(statistics);
  statistics.close();
  expect(text).toContain("mote_hits_total 2\n");
  expect(text).toContain("mote_misses_total 1\n");
  expect(text).toContain("mote_served_bytes_total 330\n");
  expect(text).toContain('mote_first_byte_seconds_bucket{le="+Inf"} 3\n');
  expect(text).toContain("mote_first_byte_seconds_count 3\n");
});

it("pushes are counted when they have ended, and their bytes when they arrive", async () => {
  const statistics = new Statistics(undefined);
  statistics.begin().received(7);
  statistics.begin().ended("PUT", "/v2/a/blobs/uploads/1?digest=sha256:0", 201);
  statistics.begin().ended("PUT", "/v2/a/manifests/1", 201);
  statistics.begin().ended("PUT", "/v2/a/manifests/1", 400);
  const text = await metricsOf(statistics);
  statistics.close();
  expect(text).toContain('mote_pushes_total{kind="blob"} 1\n');
  expect(text).toContain('mote_pushes_total{kind="manifest"} 1\n');
  expect(text).toContain("mote_received_bytes_total 7\n");
});

it("the text is valid whatever an upstream is called, and has no metric without a value", async () => {
  const traffic = { requests: { "200": 1 }, receivedBytes: 9 };
  const statistics = new Statistics({ upstreams: [{ name: hostile, state: "open", traffic }], fills: [] });
  const text = await metricsOf(statistics);
  statistics.close();
  const escaped = 'a\\"b\\\\c\\nd.example';
  expect(text).toContain(`mote_upstream_requests_total{upstream="${escaped}",status="200"} 1\n`);
  expect(text).toContain(`mote_upstream_up{upstream="${escaped}"} 0\n`);
  expect(text).not.toContain("mote_cache_max_bytes");
  for (const line of text.trim().split("\n")) {
    expect(line).toMatch(/^(|# (HELP|TYPE) \w+ .+|\w+(\{.*\})? -?\d[\d.e+-]*)$/);
  }
});
