import { digestBytes } from "@mote/core";
import { describe, expect, it } from "vitest";
import type { StatusReport } from "../status-report.js";
import { type PageInput, renderPage } from "./page.js";

const nowMs = Date.UTC(2026, 0, 2);
const zeros = (count: number) => Array.from({ length: count }, () => 0);
const history = (minutes: number) => ({
  firstMinute: 0,
  hits: zeros(minutes),
  misses: zeros(minutes),
  servedBytes: zeros(minutes).fill(3_000_000, -1),
  fetchedBytes: zeros(minutes).fill(1_000_000, -1),
});

function reportOf(
  more: Partial<StatusReport> = {},
  upstreams: readonly string[] = ["docker.io", "ghcr.io"],
): StatusReport {
  return {
    ...{ version: null, address: "http://mirror.lan:5000", startedMs: 0, uptimeSeconds: 0, hits: 2, misses: 1 },
    bytes: { served: 0, fetched: 0, saved: 0 },
    cache: { bytes: null, maxBytes: null },
    requestsInFlight: 0,
    upstreams: upstreams.map((name) => ({
      ...{ name, state: "closed" as const, requests: {}, receivedBytes: 0 },
      ...{ rateLimit: null, lastSuccessMs: null, lastError: null },
    })),
    fills: [],
    fleet: null,
    images: null,
    history: history(1),
    ...more,
  };
}

/** Renders the page and returns its text. */
function textOf(report: StatusReport, more: Partial<PageInput> = {}): string {
  const input = { report, defaultUpstream: undefined, takesPushes: false, search: undefined, nowMs, ...more };
  const text = renderPage(input).replace(/<(style|script)>[\s\S]*?<\/\1>/g, "");
  return text
    .replace(/<[^>]+>/g, "")
    .replaceAll("&quot;", '"')
    .replaceAll("\u00a0", " ");
}

describe("the settings of clients", () => {
  it("say that the server has no TLS, to those that would use it", () => {
    const text = textOf(reportOf(), { defaultUpstream: "docker.io" });
    expect(text).toContain(
      '"registry-mirrors": ["http://mirror.lan:5000"],\n  "insecure-registries": ["mirror.lan:5000"]',
    );
    expect(text).toContain('[host."http://mirror.lan:5000"]');
    expect(text).toContain('location = "mirror.lan:5000/ghcr.io"\ninsecure = true');
    expect(text).toContain("--mirror docker.io=http://mirror.lan:5000");
  });

  it("do not on loopback, where clients use HTTP by default", () => {
    const text = textOf(reportOf({ address: "http://[::1]:5000" }), { defaultUpstream: "docker.io" });
    expect(text).toContain('"registry-mirrors": ["http://[::1]:5000"]\n');
    expect(text).not.toContain("insecure-registries");
    expect(text).toContain("oras pull [::1]:5000/docker.io/library/alpine:3.20");
  });

  it("do not with TLS", () => {
    const text = textOf(reportOf({ address: "https://mirror.lan" }), { defaultUpstream: "docker.io" });
    expect(text).toContain('"registry-mirrors": ["https://mirror.lan"]\n');
    expect(text).not.toMatch(/insecure|plain-http|tls-verify/);
  });

  it("use a name below the address in Docker if Docker Hub is not the default", () => {
    const text = textOf(reportOf({ address: "https://mirror.lan" }));
    expect(text).not.toContain("registry-mirrors");
    expect(text).toContain(
      "docker pull mirror.lan/docker.io/library/alpine:3.20\ndocker pull mirror.lan/ghcr.io/team/app:1.0",
    );
  });

  it("of a server without upstreams pull what is stored, and push", () => {
    const latest = [{ name: "quay.io/a/b:1", digest: digestBytes(new Uint8Array()), setMs: 5 }];
    const images = { count: 1, latest, largest: [] };
    const text = textOf(reportOf({ images }, []), { takesPushes: true });
    expect(text).toContain("docker pull mirror.lan:5000/quay.io/a/b:1");
    expect(text).toContain("docker push mirror.lan:5000/team/app:1.0");
    expect(text).not.toContain("hosts.toml");
    expect(textOf(reportOf({ hits: 0, misses: 0, images: { ...images, count: 0, latest: [] } }, []))).toContain(
      "mote pull docker.io/library/alpine:3.20",
    );
  });
});

it("pushes are not offered if every name belongs to an upstream", () => {
  const text = textOf(reportOf(), { takesPushes: true, defaultUpstream: "docker.io" });
  expect(text).not.toContain("docker push");
});

describe("the chart", () => {
  it.each([
    [2, "Last hour", "5.00 MB in 1 min"],
    [61, "Last 6 hours", "5.00 MB in 5 min"],
    [361, "Last 24 hours", "5.00 MB in 20 min"],
    [1440, "Last 24 hours", "5.00 MB in 20 min"],
  ])("of %i minutes shows the %s", (minutes, title, scale) => {
    const text = textOf(reportOf({ history: history(minutes) }));
    for (const part of [title, scale, "From the cache 2.00 MB", "Fetched from upstreams 1.00 MB"]) {
      expect(text).toContain(part);
    }
  });
});

it("a fleet is shown with the members that were read from, escaped", () => {
  const url = "http://10.0.0.7:5000";
  const member = { url: "http://<b>&.example", receivedBytes: 3_000_000, failures: 2 };
  expect(textOf(reportOf({ fleet: { url, members: [] } }))).toMatch(/reach this member at http:\/\/10\.0\.0\.7:5000\./);
  const text = textOf(reportOf({ fleet: { url, members: [member] } }));
  expect(text).toContain("http://&lt;b&gt;&amp;.example");
  expect(text).toMatch(/3(\.0+)? MB/);
  expect(textOf(reportOf())).not.toContain("Fleet");
});

it("what is not known yet is not shown as zero", () => {
  const text = textOf(reportOf());
  for (const part of ["being measured", "being counted", "Not asked yet"]) expect(text).toContain(part);
});
