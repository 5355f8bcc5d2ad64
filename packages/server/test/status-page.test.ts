import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  digestBytes,
  type FillStatus,
  type MemoryTagStore,
  type PullThrough,
  MemoryTagStore as Tags,
  type UpstreamStatus,
} from "@mote/core";
import { type BrowserOptions, type BrowserPage, needs, openBrowser } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RegistryServer, serve } from "../src/index.js";
import { MemorySource, putInRepository } from "./memory-source.js";

const missing = needs("chromium");
const hostile = '<img src=x onerror="document.title=1"> \u202e is down';

let source: MemorySource;
let tags: MemoryTagStore;
let upstreams: UpstreamStatus[];
let fills: FillStatus[];
let server: RegistryServer;
const pages: BrowserPage[] = [];

beforeEach(async () => {
  source = new MemorySource();
  tags = new Tags();
  upstreams = [];
  fills = [];
  server = await serve({ source, tags, pullThrough: mirror(), version: "1.2.3", maxCacheBytes: 1_000_000 });
});
afterEach(async () => {
  for (const page of pages.splice(0)) await page[Symbol.asyncDispose]();
  await server.close();
});

/** A mirror that has the upstreams and fills of the test. No content is requested of it. */
function mirror(): PullThrough {
  const shown: Pick<PullThrough, "upstreams" | "fills" | "repository"> = {
    get upstreams() {
      return upstreams;
    },
    get fills() {
      return fills;
    },
    repository: () => undefined,
  };
  return shown as PullThrough;
}

/** Fills the cache, and lets one upstream fail with a hostile message. */
async function makeBusy(): Promise<void> {
  for (const [at, name] of ["docker.io/library/alpine", "ghcr.io/acme/web"].entries()) {
    await putInRepository(source, tags, name, source.put(new Uint8Array(100_000 * (at + 1)).fill(at)));
  }
  const traffic = { requests: { 200: 7, error: 2 }, receivedBytes: 300_000, rateLimit: { limit: 100, remaining: 3 } };
  const atMs = Date.now() - 61_000;
  upstreams = [
    { name: "docker.io", state: "closed", lastSuccessMs: atMs, traffic },
    { name: "ghcr.io", state: "open", lastError: { atMs, message: hostile }, traffic },
  ];
  fills = [
    { digest: digestBytes(new Uint8Array(1)), repository: "ghcr.io/acme/model", bytes: 250_000, size: 1_000_000 },
  ];
}

async function open(path = "/", options: BrowserOptions = {}): Promise<BrowserPage> {
  const page = await openBrowser(options);
  pages.push(page);
  await page.open(`${server.url}${path}`);
  return page;
}

/** Returns the text of the page or of an element in it, as it is shown. */
const textOf = async (page: BrowserPage, selector = "body") => {
  const { root } = (await page.send("DOM.getDocument")) as { root: { nodeId: number } };
  const found = (await page.send("DOM.querySelector", { nodeId: root.nodeId, selector })) as { nodeId: number };
  const { outerHTML } = (await page.send("DOM.getOuterHTML", found)) as { outerHTML: string };
  const text = outerHTML.replace(/<(script|style)[\s\S]*?<\/\1>/g, "").replace(/<[^>]+>/g, "");
  return text
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/(&nbsp;|\s)+/g, " ");
};

/** Keeps a picture of the page if the pictures of this run are kept. */
async function keepPicture(page: BrowserPage, name: string): Promise<void> {
  const picture = await page.screenshot();
  expect(Buffer.from(picture.subarray(1, 4)).toString()).toBe("PNG");
  const folder = process.env.MOTE_ARTEFACTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `status-page-${name}.png`), picture);
}

describe("the page", () => {
  it("is for browsers at / only, and may load nothing from elsewhere", async () => {
    const response = await fetch(server.url);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const policy = response.headers.get("content-security-policy");
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[^ ]+'; script-src 'sha256-[^ ]+'; connect-src 'self'/,
    );
    expect(policy).not.toContain("unsafe");
    const page = await response.text();
    expect(page).not.toMatch(/(src|href|action)="(https?:)?\/\//);
    expect(page).not.toMatch(/ style=| on[a-z]+="/);
    expect((await fetch(`${server.url}/v2/`)).headers.get("content-type")).toBe("application/json");
    expect((await fetch(`${server.url}/`, { method: "POST" })).status).toBe(405);
  });

  it("needs the permission to see the status, as the JSON and the metrics do", async () => {
    await server.close();
    const access = { decide: async () => ({ kind: "denied" }) as const };
    server = await serve({ source, tags, access });
    for (const path of ["/", "/api/status", "/metrics"]) expect((await fetch(`${server.url}${path}`)).status).toBe(403);
  });

  it("names the address by which the client has reached it", async () => {
    await server.close();
    server = await serve({ source, tags, host: "0.0.0.0" });
    const headers = { "x-forwarded-proto": "https" };
    const text = await (await fetch(`http://127.0.0.1:${server.port}/api/status`, { headers })).json();
    expect(text).toMatchObject({ address: `https://127.0.0.1:${server.port}` });
  });
});

describe.skipIf(missing !== "")(`the page in a browser${missing}`, () => {
  it("of a new mirror says what to do first", async () => {
    upstreams = [{ name: "docker.io", state: "closed" }];
    const page = await open();
    const text = await textOf(page);
    expect(text).toContain("Start here");
    expect(text).toContain(`docker pull ${new URL(server.url).host}/docker.io/library/alpine:3.20`);
    expect(page.errors).toEqual([]);
    await keepPicture(page, "new");
  });

  it.each(["light", "dark"] as const)("tells all facts without JavaScript, in %s colors", async (colorScheme) => {
    await makeBusy();
    const page = await open("/", { javaScript: false, colorScheme });
    const text = await textOf(page);
    for (const fact of [
      "mote 1.2.3",
      "docker.io Up 1 min ago 9 (2 failed) 300 kB 3 of 100 left",
      `ghcr.io Down never 9 (2 failed)`,
      "250 kB of 1.00 MB",
      "ghcr.io/acme/web:",
      "200 kB",
      "of 1.00 MB (30 %)",
      `host."${server.url}"`,
    ]) {
      expect(text).toContain(fact);
    }
    await keepPicture(page, colorScheme);
  });

  it("shows text from elsewhere as text", async () => {
    await makeBusy();
    const page = await open(`/?q=${encodeURIComponent("<b>none</b>")}`);
    expect(await textOf(page, "#upstreams")).toContain('<img src=x onerror="document.title=1"> \ufffd is down');
    expect(await textOf(page, "#images-live")).toContain("No image matches “<b>none</b>”");
    expect(await page.evaluate("document.querySelectorAll('img, #images b').length")).toBe(0);
    expect(await page.evaluate("document.title")).toBe(`mote at ${new URL(server.url).host}`);
    expect(page.errors).toEqual([]);
  });

  it("fits a narrow screen", async () => {
    await makeBusy();
    const page = await open("/", { width: 360 });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
    await keepPicture(page, "narrow");
  });

  it("is used with the keyboard: skips to the content, searches while typing, and opens the settings of a client", async () => {
    await makeBusy();
    const page = await open();
    const focused = () => page.evaluate<string>("document.activeElement.textContent || document.activeElement.id");
    await page.press("Tab");
    expect(await focused()).toBe("Skip to the content");
    expect(await page.evaluate("document.activeElement.getBoundingClientRect().left > 0")).toBe(true);
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    while ((await focused()) !== "search") await page.press("Tab");
    await page.type("ACME");
    await page.until("document.querySelector('#images-live .found') !== null");
    expect(await textOf(page, "#images-live")).toMatch(/1 image for “ACME”.*ghcr\.io\/acme\/web/);
    expect(await page.evaluate("location.search")).toBe("?q=ACME");
    expect(await focused()).toBe("search");
    while ((await focused()) !== "containerd and Kubernetes") await page.press("Tab");
    await page.press("Enter");
    await page.until("document.activeElement.parentElement.open");
    expect(page.errors).toEqual([]);
  });

  it("copies what is shown", async () => {
    await makeBusy();
    const page = await open();
    const button = "document.querySelector('details[open] button')";
    await page.evaluate(`${button}.click()`);
    await page.until(`${button}.textContent !== "Copy"`);
    expect(await page.evaluate(`${button}.textContent`)).toMatch(/^(Copied|Selected)$/);
  });

  it("refreshes its figures, and says so if the server does not answer", async () => {
    const page = await open();
    await makeBusy();
    // As when the browser shows the page again.
    await page.evaluate('document.dispatchEvent(new Event("visibilitychange"))');
    await page.until("document.querySelector('#fills li') !== null");
    expect(await textOf(page, "#fills")).toContain("250 kB of 1.00 MB");
    await server.close();
    await page.evaluate('document.dispatchEvent(new Event("visibilitychange"))');
    await page.until("document.getElementById('refresh-note').textContent.includes('does not answer')");
    expect(await textOf(page, "#fills")).toContain("250 kB of 1.00 MB");
  });
});
