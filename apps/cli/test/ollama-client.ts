import { createHash } from "node:crypto";

/** A range that a client has requested, and how it was answered. */
export interface RequestedPart {
  readonly range: string;
  readonly status: number;
  readonly contentRange: string | null;
}

/** Parts of a blob that are read at the same time, as in Ollama; its smallest part has 100 MB, this one's has a byte. */
const parts = 16;

/**
 * Pulls a model with the requests that Ollama sends (its `server/images.go` and `server/download.go`): the manifest; for each blob its
 * size by HEAD, the URL of its content, and then ranges of that in parallel, without credentials. Returns the blobs by digest, verified.
 */
export async function pullLikeOllama(
  registry: string,
  name: string,
  tag: string,
): Promise<{
  readonly manifest: Uint8Array;
  readonly blobs: Map<string, Uint8Array>;
  readonly parts: RequestedPart[];
}> {
  const accept = "application/vnd.docker.distribution.manifest.v2+json";
  const response = await fetch(`${registry}/v2/${name}/manifests/${tag}`, { headers: { accept } });
  if (response.status !== 200) throw new Error(`the manifest is ${response.status}`);
  const manifest = new Uint8Array(await response.arrayBuffer());
  const { config, layers } = JSON.parse(new TextDecoder().decode(manifest));
  const blobs = new Map<string, Uint8Array>();
  const requested: RequestedPart[] = [];
  for (const { digest } of [...layers, config]) {
    const url = `${registry}/v2/${name}/blobs/${digest}`;
    const head = await fetch(url, { method: "HEAD" });
    const size = Number(head.headers.get("content-length"));
    const direct = await directUrl(url);
    const partSize = Math.max(1, Math.ceil(size / parts));
    const starts = Array.from({ length: Math.ceil(size / partSize) }, (_, at) => at * partSize);
    const chunks = await Promise.all(
      starts.map(async (start) => {
        const range = `bytes=${start}-${Math.min(start + partSize, size) - 1}`;
        const part = await fetch(direct, { headers: { range } });
        requested.push({ range, status: part.status, contentRange: part.headers.get("content-range") });
        return new Uint8Array(await part.arrayBuffer());
      }),
    );
    const bytes = Buffer.concat(chunks);
    const actual = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    if (actual !== digest) throw new Error(`digest mismatch: ${digest} came as ${actual}`);
    blobs.set(digest, bytes);
  }
  return { manifest, blobs, parts: requested };
}

/** Requires `Location` even if the response is not a redirect, as Go's `Response.Location`. */
async function directUrl(url: string): Promise<URL> {
  const response = await fetch(url, { redirect: "manual" });
  await response.body?.cancel();
  const location = response.headers.get("location");
  if (![200, 307].includes(response.status)) throw new Error(`the blob is ${response.status}`);
  if (location === null) throw new Error("http: no Location header in response");
  return new URL(location, url);
}
