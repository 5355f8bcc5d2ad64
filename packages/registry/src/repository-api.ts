import {
  type CallOptions,
  type Descriptor,
  type Digest,
  isDigest,
  isManifestType,
  manifestTypes,
  maxManifestBytes,
} from "@mote/core";
import type { RegistryClient } from "./client.js";
import { collectDocument, mayBeJson, namedCodings } from "./http/content-coding.js";
import { isDockerHub } from "./http/hosts.js";
import type { RetryPolicy } from "./http/retry.js";
import { counted, type Traffic } from "./http/traffic.js";
import { resolveLocation } from "./redirects.js";
import type { RegistryRequest, RegistryResponse } from "./registry-request.js";
import { protocolError, sizeError } from "./reports/protocol-error.js";
import { namingSubject, type Subject } from "./reports/subject.js";
import { checkRepositoryName, type RepositoryLocation, registryOrigin } from "./repository-location.js";

/** A request below `/v2/REPOSITORY/`. */
export interface RepositoryRequest
  extends CallOptions,
    Pick<
      RegistryRequest,
      | "method"
      | "what"
      | "headers"
      | "body"
      | "accepts"
      | "repeat"
      | "bulk"
      | "reuse"
      | "crossOrigin"
      | "until"
      | "spares"
    > {
  /** A path below the repository, or a URL from the registry. */
  readonly path: string | URL;
  readonly digest?: Digest | undefined;
  readonly reference?: string | undefined;
  /** Default: `pull`. */
  readonly actions?: "pull" | "pull,push" | "pull,push,delete" | undefined;
  /** Another repository of the same registry to read from. */
  readonly from?: string | undefined;
}

/** Options for requests that may use push permission. */
export interface RepositoryRequestOptions extends CallOptions, Pick<RepositoryRequest, "actions"> {}

export interface ManifestResponse {
  readonly bytes: Uint8Array;
  readonly mediaType: string | undefined;
  /** The `Docker-Content-Digest` header, unchecked. */
  readonly digest: string | undefined;
}

export interface RepositoryApiOptions {
  /** The upstream registry of this mirror, sent with each request (`?ns=`, like containerd). */
  readonly namespace?: string | undefined;
  /** Default: the client's. */
  readonly policy?: RetryPolicy | undefined;
  readonly traffic?: Traffic | undefined;
}

/** Sends requests to the endpoints of one repository (distribution-spec, "Endpoints"). */
export class RepositoryApi {
  readonly client: RegistryClient;
  /** As in references. */
  readonly registry: string;
  readonly repository: string;
  readonly policy: RetryPolicy;
  readonly #origin: URL;
  readonly #namespace: string | undefined;
  readonly #traffic: Traffic | undefined;

  /** @throws MOTE_INVALID_REFERENCE */
  constructor(client: RegistryClient, location: RepositoryLocation, options: RepositoryApiOptions = {}) {
    const { registry, repository } = location;
    this.client = client;
    this.policy = options.policy ?? client.policy;
    this.#namespace = options.namespace;
    this.#traffic = options.traffic;
    this.registry = isDockerHub(registry) ? "docker.io" : registry;
    this.repository = checkRepositoryName(repository);
    this.#origin = registryOrigin(location, client);
  }

  url(path: string): URL {
    const url = new URL(`/v2/${this.repository}/${path}`, this.#origin);
    if (this.#namespace !== undefined) url.searchParams.set("ns", this.#namespace);
    return url;
  }

  subject(about: { readonly digest?: Digest | undefined; readonly reference?: string | undefined } = {}): Subject {
    const { digest, reference } = about;
    return {
      registry: this.registry,
      repository: this.repository,
      ...(digest === undefined ? {} : { digest }),
      ...(reference === undefined ? {} : { reference }),
    };
  }

  send<T>(request: RepositoryRequest, take: (response: RegistryResponse) => T | Promise<T>): Promise<T> {
    const { path, what, actions = "pull", from, onEvent, ...sent } = request;
    const scopes = [`repository:${this.repository}:${actions}`];
    if (from !== undefined) scopes.push(`repository:${from}:pull`);
    const traffic = this.#traffic;
    const access = { origin: this.#origin, subject: this.subject(request), scopes, onEvent, traffic };
    const url = typeof path === "string" ? this.url(path) : path;
    const sending = { ...sent, access, url, what: `${what} in ${this.repository}`, policy: this.policy };
    return this.client.send(sending, (response) => take(counted(response, path, traffic)));
  }

  /** Requests the head of a manifest or blob. */
  head(path: string, request: Omit<RepositoryRequest, "method" | "path" | "body">): Promise<RegistryResponse> {
    return this.send({ ...request, method: "HEAD", path, bulk: true }, (response) => {
      response.discard();
      return response;
    });
  }

  /** @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE */
  getManifest(
    reference: string,
    options: Pick<RepositoryRequest, "what" | "digest" | "actions" | "until" | "spares" | keyof CallOptions> & {
      /** In bytes, if known. */
      readonly size?: number;
    },
  ): Promise<ManifestResponse> {
    const { size, ...request } = options;
    const { what, digest } = request;
    const subject = this.subject({ digest, reference });
    const path = `manifests/${reference}`;
    const headers = { accept: manifestTypes.join(", ") };
    return this.send({ ...request, method: "GET", path, headers, reference, bulk: true }, async (response) => {
      const mediaType = bareType(response.header("content-type"));
      const announced = response.header("content-length");
      const isCoded = namedCodings(response).length > 0;
      if (size !== undefined && announced !== undefined && Number(announced) !== size && !isCoded) {
        response.discard();
        throw sizeError(subject, what, size, Number(announced));
      }
      const said = response.header("docker-content-digest");
      const bound = { maxBytes: maxManifestBytes, what, digests: [digest, said].filter(isDigest) };
      const bytes = await namingSubject(subject, collectDocument(response, bound));
      if (mediaType === "text/html" && !mayBeJson(bytes)) {
        throw protocolError(
          subject,
          "it sent an HTML page instead of a manifest; check that it is a registry, and that no login page is in front of it",
        );
      }
      return { bytes, mediaType, digest: response.header("docker-content-digest") };
    });
  }

  /** Resolves a `Location` in a response from `from`. @throws MOTE_REGISTRY */
  follow(location: string, from: URL): URL {
    return resolveLocation(location, from, { plainHttp: this.client.plainHttp, subject: this.subject() });
  }
}

/** Returns the manifest that the response to a HEAD describes; undefined if it does not. @param requested used if the response has no digest */
export function describedIn(response: RegistryResponse, requested?: Digest): Descriptor | undefined {
  const digest = response.header("docker-content-digest") ?? requested;
  const mediaType = bareType(response.header("content-type"));
  const size = Number(response.header("content-length") ?? Number.NaN);
  if (response.status !== 200 || mediaType === undefined || !isManifestType(mediaType)) return undefined;
  return isDigest(digest) && Number.isSafeInteger(size) && size > 0 ? { mediaType, digest, size } : undefined;
}

/** A media type without its parameters, in lower case. */
export function bareType(header: string | undefined): string | undefined {
  return header?.split(";")[0]?.trim().toLowerCase() || undefined;
}
