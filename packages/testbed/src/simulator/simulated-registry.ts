import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { closeServer, listenOnLoopback } from "../loopback.js";
import type { Behaviour, Listener, RegistryKind, Reply, SimulatedRequest, SimulatedState } from "./behaviour.js";
import { distributionApi } from "./distribution-api.js";
import { bytesReply, errorReply } from "./replies.js";
import { Repositories } from "./repositories.js";
import { readRoute } from "./route.js";

export interface SimulatedRegistry extends AsyncDisposable, SimulatedState {
  readonly kind: RegistryKind;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** All requests so far, in the order of their responses. */
  readonly requests: (SimulatedRequest & { readonly status: number })[];
  /** Changes only the first response for which `change` returns another. */
  once(change: (reply: Reply, request: SimulatedRequest) => Reply | undefined): void;
}

/** Starts a registry, its storage and its token service on free ports of loopback, with all content in memory. */
export async function startSimulatedRegistry(kind: RegistryKind): Promise<SimulatedRegistry> {
  const requests: SimulatedRegistry["requests"] = [];
  const changes = new Set<Parameters<SimulatedRegistry["once"]>[0]>();
  const reply = (request: SimulatedRequest): Reply => {
    const first = handle(kind.behaviours, request, state);
    for (const change of changes) {
      const changed = change(first, request);
      if (changed === undefined) continue;
      changes.delete(change);
      return changed;
    }
    return first;
  };
  const listen = async (listener: Listener) => {
    const server = createServer((incoming, response) => {
      readRequest(listener, incoming)
        .then((request) => {
          const given = reply(request);
          requests.push({ ...request, status: given.status });
          send(response, given, request.method);
        })
        .catch(() => response.destroy());
    });
    return { server, origin: `http://${await listenOnLoopback(server)}` };
  };
  const [registry, storage, tokens] = [await listen("registry"), await listen("storage"), await listen("tokens")];
  const state: SimulatedState = {
    origins: { registry: registry.origin, storage: storage.origin, tokens: tokens.origin },
    repositories: new Repositories(),
    login: kind.login,
    notes: new Map(),
  };
  return {
    ...state,
    kind,
    host: new URL(registry.origin).host,
    requests,
    once: (change) => changes.add(change),
    async [Symbol.asyncDispose]() {
      await Promise.all([registry, storage, tokens].map(({ server }) => closeServer(server)));
    },
  };
}

function handle(behaviours: readonly Behaviour[], request: SimulatedRequest, state: SimulatedState): Reply {
  const [first, ...rest] = behaviours;
  if (first !== undefined) return first.handle(request, () => handle(rest, request, state), state);
  if (request.listener === "registry") return distributionApi(request, state.repositories);
  return request.listener === "storage" ? replyFromStorage(request, state) : errorReply(404, "NOT_FOUND");
}

/**
 * Responds as S3 to a URL that is signed for one method: other methods are 403, and credentials in addition are 400.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
 */
function replyFromStorage(request: SimulatedRequest, { repositories }: SimulatedState): Reply {
  const { route, url, method, headers } = request;
  if (headers.authorization !== undefined) return xmlError(400, "InvalidArgument");
  if (url.searchParams.get("signed") !== method) return xmlError(403, "SignatureDoesNotMatch");
  const bytes = route.kind === "stored" ? repositories.blob(route.digest) : undefined;
  return bytes === undefined ? xmlError(404, "NoSuchKey") : bytesReply(request, bytes);
}

function xmlError(status: number, code: string): Reply {
  return { status, headers: { "content-type": "application/xml" }, body: `<Error><Code>${code}</Code></Error>` };
}

async function readRequest(listener: Listener, incoming: IncomingMessage): Promise<SimulatedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const { method = "", headers } = incoming;
  const url = new URL(incoming.url ?? "/", `http://${headers.host}`);
  const route = readRoute(url.pathname);
  return { listener, method, url, route, headers, body: Buffer.concat(chunks) };
}

function send(response: ServerResponse, { status, headers = {}, body, cutAfter }: Reply, method: string): void {
  const bytes = Buffer.from(body ?? "");
  const length = status === 204 || status === 304 ? {} : { "content-length": String(bytes.byteLength) };
  for (const [name, value] of Object.entries({ ...length, ...headers })) {
    if (value !== undefined) response.setHeader(name, value);
  }
  response.writeHead(status);
  if (method === "HEAD") response.end();
  else if (cutAfter === undefined) response.end(bytes);
  else response.write(bytes.subarray(0, cutAfter), () => response.destroy());
}
