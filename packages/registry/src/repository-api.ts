import { type Cancellable, type Digest, isDigest, type MoteReader, manifestTypes, maxManifestBytes } from "@mote/core";
import type { RegistryClient, RegistryRequest, RegistryResponse } from "./client.js";
import { collectDocument, mayBeJson, namedCodings } from "./http/content-coding.js";
import { namingPlace, protocolError, type Subject, sizeError } from "./http/errors.js";
import { resolveLocation } from "./http/location.js";
import type { RetryPolicy } from "./http/retry.js";
import { type BlobRequestOptions, openBlob } from "./pull/blob-reader.js";
import { checkRepositoryName, isDockerHub, type RepositoryLocation, registryOrigin } from "./repository-location.js";

/** From this length on, a body is worth a connection that is sparing with copies. */
const bulkBytes = 256 * 1024;

/** A request below `/v2/REPOSITORY/`. */
export interface RepositoryRequest extends Cancellable {
  readonly method: RegistryRequest["method"];
  /** Below the repository, or a URL that the registry gave. */
  readonly path: string | URL;
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: RegistryRequest["body"];
  readonly digest?: Digest | undefined;
  readonly reference?: string | undefined;
  readonly accepts?: RegistryRequest["accepts"];
  readonly repeat?: RegistryRequest["repeat"];
  readonly bulk?: RegistryRequest["bulk"];
  readonly reuse?: RegistryRequest["reuse"];
  readonly isAway?: RegistryRequest["isAway"];
  readonly until?: RegistryRequest["until"];
  /** Default: `pull`. */
  readonly actions?: "pull" | "pull,push" | undefined;
  /** Another repository of the same registry that is read from. */
  readonly from?: string | undefined;
}

export interface ManifestResponse {
  readonly bytes: Uint8Array;
  readonly mediaType: string | undefined;
  /** What `Docker-Content-Digest` says; not checked here. */
  readonly digest: string | undefined;
}

export interface RepositoryApiOptions {
  /** The registry that this one stands for, which it is told with each request (`?ns=`, as containerd does). */
  readonly namespace?: string | undefined;
  /** Default: the client's. */
  readonly policy?: RetryPolicy | undefined;
}

/** The endpoints of one repository (distribution-spec, "Endpoints"), without a judgement on what they answer. */
export class RepositoryApi {
  readonly client: RegistryClient;
  /** As references name it. */
  readonly registry: string;
  readonly repository: string;
  readonly #origin: URL;
  readonly #options: RepositoryApiOptions;

  /** @throws MOTE_INVALID_REFERENCE */
  constructor(client: RegistryClient, place: RepositoryLocation, options: RepositoryApiOptions = {}) {
    this.#options = options;
    this.client = client;
    this.registry = isDockerHub(place.registry) ? "docker.io" : place.registry;
    this.repository = checkRepositoryName(place.repository);
    this.#origin = registryOrigin(place, client);
  }

  url(path: string): URL {
    const url = new URL(`/v2/${this.repository}/${path}`, this.#origin);
    if (this.#options.namespace !== undefined) url.searchParams.set("ns", this.#options.namespace);
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

  send<T>(request: RepositoryRequest, take: (answer: RegistryResponse) => T | Promise<T>): Promise<T> {
    const { path, what, actions = "pull", from, ...asked } = request;
    const scopes = [`repository:${this.repository}:${actions}`];
    if (from !== undefined) scopes.push(`repository:${from}:pull`);
    const access = { origin: this.#origin, subject: this.subject(request), scopes };
    const url = typeof path === "string" ? this.url(path) : path;
    const { policy } = this.#options;
    return this.client.send({ ...asked, access, url, what: `${what} in ${this.repository}`, policy }, take);
  }

  /** The head of a manifest or blob; the status is whatever it is, as far as `accepts` takes it. */
  head(path: string, request: Omit<RepositoryRequest, "method" | "path" | "body">): Promise<RegistryResponse> {
    return this.send({ ...request, method: "HEAD", path }, (answer) => {
      answer.discard();
      return answer;
    });
  }

  /** @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE */
  getManifest(
    reference: string,
    options: Pick<RepositoryRequest, "what" | "digest" | "actions" | "until" | "signal"> & {
      /** In bytes, where it is known. */
      readonly size?: number;
    },
  ): Promise<ManifestResponse> {
    const { size, ...asking } = options;
    const { what, digest } = asking;
    const subject = this.subject({ digest, reference });
    const path = `manifests/${reference}`;
    const headers = { accept: manifestTypes.join(", ") };
    return this.send({ ...asking, method: "GET", path, headers, reference }, async (answer) => {
      const mediaType = bareType(answer.header("content-type"));
      const announced = answer.header("content-length");
      const isCoded = namedCodings(answer).length > 0;
      if (size !== undefined && announced !== undefined && Number(announced) !== size && !isCoded) {
        answer.discard();
        throw sizeError(subject, what, size, Number(announced));
      }
      const said = answer.header("docker-content-digest");
      const bound = { maxBytes: maxManifestBytes, what, digests: [digest, said].filter(isDigest) };
      const bytes = await namingPlace(subject, collectDocument(answer, bound));
      if (mediaType === "text/html" && !mayBeJson(bytes)) {
        throw protocolError(
          subject,
          "it answered with an HTML page in place of a manifest; check that it is a registry, and that no login page stands before it",
        );
      }
      return { bytes, mediaType, digest: answer.header("docker-content-digest") };
    });
  }

  /** Where an answer from `from` leads; below this registry or, for uploads, elsewhere. @throws MOTE_REGISTRY */
  follow(location: string, from: URL): URL {
    return resolveLocation(location, from, { plainHttp: this.client.plainHttp, subject: this.subject() });
  }

  /** @throws MOTE_NOT_FOUND */
  openBlob(wish: BlobRequestOptions): Promise<MoteReader> {
    const { digest, signal } = wish;
    const { client } = this;
    const at = { client, policy: this.#options.policy ?? client.policy, subject: this.subject({ digest }) };
    const bulk = (wish.end ?? wish.size ?? 0) - wish.start >= bulkBytes;
    return openBlob(at, wish, (headers) =>
      this.send(
        {
          method: "GET",
          path: `blobs/${digest}`,
          what: `blob ${digest}`,
          headers,
          digest,
          accepts: (status) => status === 200 || status === 206 || status === 416,
          bulk,
          reuse: wish.reuse,
          signal,
        },
        (answer) => answer,
      ),
    );
  }
}

/** A media type without its parameters, in lower case. */
export function bareType(header: string | undefined): string | undefined {
  return header?.split(";")[0]?.trim().toLowerCase() || undefined;
}
