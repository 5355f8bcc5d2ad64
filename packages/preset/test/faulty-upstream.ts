import {
  addImage,
  type ChaosProxy,
  type Effect,
  type ProxiedRequest,
  type SimulatedRegistry,
  startChaosProxy,
  startSimulatedRegistry,
} from "@mote/testbed";

/** A rule for requests whose method and path match: the effect of each of them, by the number of earlier ones with the same URL. */
type Fault = readonly [request: RegExp, ...effects: (Effect | undefined)[]];

/** A registry in memory that works, behind a proxy with faults. */
export interface FaultyUpstream extends AsyncDisposable {
  readonly registry: SimulatedRegistry;
  readonly proxy: ChaosProxy;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Applies faults from now on. The last effect of a rule counts for all further requests. Without faults, it works again. */
  faults(...faults: readonly Fault[]): void;
  /** Requests that the proxy received, such as `GET /v2/a/b/manifests/1`, that match. */
  requested(request: RegExp): readonly ProxiedRequest[];
}

const plain = { name: "plain", behaviours: [], lacks: {} } as const;

export async function startFaultyUpstream(): Promise<FaultyUpstream> {
  const registry = await startSimulatedRegistry(plain);
  const proxy = await startChaosProxy(registry.host);
  return {
    registry,
    proxy,
    host: proxy.host,
    faults(...faults) {
      const seen = new Map<string, number>();
      proxy.inject(({ method, url }) => {
        const request = `${method} ${url}`;
        const times = seen.get(request) ?? 0;
        seen.set(request, times + 1);
        const effects = faults.find(([pattern]) => pattern.test(request))?.slice(1) as (Effect | undefined)[];
        return effects?.[Math.min(times, effects.length - 1)];
      });
    },
    requested: (pattern) => proxy.requests.filter(({ method, url }) => pattern.test(`${method} ${url}`)),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

/** Adds `a/b:1` with one layer of this size. */
export function addLayer({ registry }: FaultyUpstream, size: number, tag = "1") {
  const { manifest, layers } = addImage(registry.repositories, "a/b", { tag, layers: [size], architecture: tag });
  const [layer] = layers;
  const bytes = layer && registry.repositories.blob(layer.digest);
  if (layer === undefined || bytes === undefined) throw new Error("the image has no layer");
  return { manifest, digest: layer.digest, path: `a/b/blobs/${layer.digest}`, bytes };
}
