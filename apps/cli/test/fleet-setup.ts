import { once } from "node:events";
import { join } from "node:path";
import { freePort } from "@mote/testbed";
import { expect } from "vitest";
import { type CountingUpstream, digestOf } from "./counting-upstream.js";
import { type Serving, startServe } from "./start-serve.js";

/** Where the upstream pauses in a layer, in bytes. */
export const pausedAt = 1_500_000;
export const layerBytes = 4_000_000;

/** Starts a mirror with a cache of its own in `root`. `shared`: options that name the shared store. */
export async function startMember(
  {
    root,
    upstream,
    env,
  }: { readonly root: string; readonly upstream: CountingUpstream; readonly env?: NodeJS.ProcessEnv },
  shared: readonly string[],
): Promise<Serving> {
  const port = await freePort();
  const own = [`--port=${port}`, "--advertise", `http://127.0.0.1:${port}`];
  return startServe(
    join(root, String(port)),
    ["--upstream", `up.example=http://${upstream.host}`, ...own, ...shared],
    env,
  );
}

/** Reads the manifest and the blobs of an image, and returns their digests. `onLayerByte` is called when the layer begins to arrive. */
export async function pull({ url }: Serving, tag: string, onLayerByte: () => void = () => {}): Promise<string[]> {
  const text = new TextDecoder().decode(await read(`${url}/v2/team/app/manifests/${tag}`));
  const { config, layers } = JSON.parse(text) as { config: { digest: string }; layers: { digest: string }[] };
  const found = [digestOf(new TextEncoder().encode(text))];
  found.push(digestOf(await read(`${url}/v2/team/app/blobs/${config.digest}`)));
  for (const { digest } of layers) found.push(digestOf(await read(`${url}/v2/team/app/blobs/${digest}`, onLayerByte)));
  return found;
}

async function read(url: string, onByte: () => void = () => {}): Promise<Uint8Array> {
  const response = await fetch(url);
  expect(response.status, url).toBe(200);
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body ?? []) if (chunks.push(chunk) === 1) onByte();
  return Buffer.concat(chunks);
}

interface Status {
  readonly upstreams: readonly { readonly receivedBytes: number }[];
  readonly fills: readonly { readonly digest: string; readonly bytes: number }[];
  readonly fleet: { readonly members: readonly { readonly receivedBytes: number }[] };
}

const statusOf = async ({ url }: Serving) => (await (await fetch(`${url}/api/status`)).json()) as Status;

/** Waits until all have received what the upstream sends before it pauses. */
export async function reachPause(members: readonly Serving[], layer: string): Promise<void> {
  const bytesOf = async (member: Serving) =>
    (await statusOf(member)).fills.find(({ digest }) => digest === layer)?.bytes;
  for (const member of members) await expect.poll(() => bytesOf(member), { timeout: 20_000 }).toBe(pausedAt);
}

/** Returns the member that reads from the upstream. */
async function leaderOf(members: readonly Serving[]): Promise<Serving> {
  const received = await Promise.all(
    members.map(async (member) => ((await statusOf(member)).upstreams[0]?.receivedBytes ?? 0) >= pausedAt),
  );
  const leaders = members.filter((_, at) => received[at]);
  expect(leaders).toHaveLength(1);
  return leaders[0] as Serving;
}

/** Kills the member that reads a layer from the upstream, when all have received what comes before the pause. Returns it. */
export async function killLeader(members: readonly Serving[], layer: string): Promise<Serving> {
  await reachPause(members, layer);
  const leader = await leaderOf(members);
  const exit = once(leader.child, "exit");
  leader.child.kill("SIGKILL");
  await exit;
  return leader;
}
