import { createHash, createHmac } from "node:crypto";
import { BoundedMap } from "@mote/core";
import { AwsV4Signer } from "aws4fetch";
import type { Credentials } from "../credentials/credentials.js";

export interface SignedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly nowMs: number;
}

/** Signs requests (AWS Signature Version 4). The signing keys of a day are computed once. */
export class Signer {
  readonly #region: string;
  readonly #keys = new BoundedMap<string, Uint8Array>(4);

  constructor(region: string) {
    this.#region = region;
  }

  /** Returns the request's headers and those of the signature. `headers` must contain `x-amz-content-sha256`. */
  async sign(
    { method, url, headers, nowMs }: SignedRequest,
    credentials: Credentials,
  ): Promise<Record<string, string>> {
    const signer = new NodeSigner(
      {
        ...{ method, url: url.href, headers: { ...headers }, service: "s3", region: this.#region },
        accessKeyId: credentials.accessKeyId,
        secretAccessKey: credentials.secretAccessKey,
        ...(credentials.sessionToken === undefined ? {} : { sessionToken: credentials.sessionToken }),
        datetime: new Date(nowMs).toISOString().replace(/[:-]|\.\d{3}/g, ""),
      },
      this.#keys,
    );
    return Object.fromEntries((await signer.sign()).headers);
  }
}

/** Hashes with `node:crypto`: for such short texts, a call of the Web Crypto API, which waits for another thread, costs many times more. */
class NodeSigner extends AwsV4Signer {
  readonly #keys: BoundedMap<string, Uint8Array>;

  constructor(request: ConstructorParameters<typeof AwsV4Signer>[0], keys: BoundedMap<string, Uint8Array>) {
    super(request);
    this.#keys = keys;
  }

  override async signature(): Promise<string> {
    return createHmac("sha256", this.#key())
      .update(await this.stringToSign())
      .digest("hex");
  }

  override async stringToSign(): Promise<string> {
    const canonical = createHash("sha256")
      .update(await this.canonicalString())
      .digest("hex");
    return ["AWS4-HMAC-SHA256", this.datetime, this.credentialString, canonical].join("\n");
  }

  /** Returns the signing key of the credentials, the day, the region and the service. */
  #key(): Uint8Array {
    const scope = this.credentialString.split("/");
    const name = [this.secretAccessKey, ...scope].join();
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const first: Uint8Array = new TextEncoder().encode(`AWS4${this.secretAccessKey}`);
    const key = scope.reduce((key, part) => createHmac("sha256", key).update(part).digest(), first);
    this.#keys.set(name, key);
    return key;
  }
}
