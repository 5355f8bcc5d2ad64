import type { AccessCheck } from "../access/access-check.js";
import { requestedAction } from "../access/requested-action.js";
import { checkName, readNamespace } from "./checks.js";
import { parseRequestTarget } from "./request-target.js";
import { type ApiResponse, ErrorResponse, type RequestContext } from "./response.js";

/** A request with its parsed target. */
export interface RoutedRequest {
  /** The segments of `<name>`, as in the request: not normalized. Empty if the path has none. */
  readonly name: string;
  /** The segment of `<reference>`. Empty if the path has none. */
  readonly reference: string;
  /** The registry in the `ns` parameter, which clients send to mirrors. */
  readonly namespace: string | undefined;
  readonly query: URLSearchParams;
  readonly request: RequestContext;
  /** How the client could log in, although it need not for this request. */
  readonly challenge: string | undefined;
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Segments, of which `<name>` stands for one or more and `<reference>` for one that may be empty. */
  readonly path: string;
  /** Whether the route itself checks who may use it. Default: the access control of the server does. */
  readonly checksAccess?: boolean | undefined;
  readonly respond: (routed: RoutedRequest) => ApiResponse | Promise<ApiResponse>;
}

interface MatchedPath {
  readonly route: Route;
  readonly name: string;
  readonly reference: string;
}

/** Checks access and finds the route of a request. HEAD has the routes of GET. */
export class Router {
  readonly #routes: readonly { readonly route: Route; readonly segments: readonly string[] }[];

  readonly #access: AccessCheck;

  constructor(routes: readonly Route[], access: AccessCheck) {
    this.#access = access;
    this.#routes = routes.map((route) => ({ route, segments: route.path.slice(1).split("/") }));
  }

  async respond(request: RequestContext): Promise<ApiResponse> {
    const { segments, query } = parseRequestTarget(request.target);
    const method = request.method === "HEAD" ? "GET" : request.method;
    const matches = this.#match(segments);
    const match = matches.find(({ route }) => route.method === method);
    const asked = requestedAction(request.method, segments);
    const challenge = match?.route.checksAccess ? undefined : (await this.#access.demand(request, asked)).challenge;
    if (match === undefined) throw method === "GET" ? unknownPath() : this.#unsupportedMethod(matches);
    const { route, name, reference } = match;
    if (route.method !== "GET") refuseWebPages(request);
    const namespace = readNamespace(query);
    return route.respond({ name: name && checkName(name), reference, namespace, query, request, challenge });
  }

  #match(actual: readonly string[]): MatchedPath[] {
    return this.#routes.flatMap(({ route, segments }) => {
      const nameAt = segments.indexOf("<name>");
      const more = actual.length - segments.length;
      if (more < 0 || (nameAt < 0 && more > 0)) return [];
      const nameEnd = nameAt + more + 1;
      const joined = nameAt < 0 ? actual : [...actual.slice(0, nameAt), "<name>", ...actual.slice(nameEnd)];
      const isMatch = segments.every((segment, at) => segment === "<reference>" || segment === joined[at]);
      const name = nameAt < 0 ? "" : actual.slice(nameAt, nameEnd).join("/");
      const reference = joined[segments.indexOf("<reference>")] ?? "";
      return isMatch && (nameAt < 0 || name !== "") ? [{ route, name, reference }] : [];
    });
  }

  #unsupportedMethod(matches: readonly MatchedPath[]): ErrorResponse {
    const methods = matches.flatMap(({ route: { method } }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    const allow = methods.length === 0 ? "GET, HEAD" : [...new Set(methods)].join(", ");
    const takesPushes = this.#routes.some(({ route: { method } }) => method === "PUT");
    const message = takesPushes ? "the path does not support this method" : "this registry is read-only";
    return new ErrorResponse(405, "UNSUPPORTED", message, { headers: { allow } });
  }
}

/**
 * Browsers send this header with each request that a page makes to change something, and on loopback every request is trusted: any web site
 * could start fetches, or fill the disk.
 */
function refuseWebPages({ header }: RequestContext): void {
  if (header("origin") !== undefined) throw new ErrorResponse(403, "DENIED", "requests of web pages are not accepted");
}

function unknownPath(): ErrorResponse {
  return new ErrorResponse(404, "UNSUPPORTED", "the path does not exist");
}
