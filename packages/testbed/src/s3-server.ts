import { randomUUID } from "node:crypto";
import { AwsClient } from "aws4fetch";

/** The keys of a user. */
export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A real S3 service for tests, with the keys of its first user. */
export interface S3Server extends AsyncDisposable, S3Keys {
  readonly name: string;
  readonly endpoint: string;
  /** Creates an empty bucket, and returns its name. @param owner default: the first user */
  createBucket(owner?: S3Keys): Promise<string>;
  /** Sends a signed request, as another program would. @param path BUCKET or BUCKET/KEY */
  send(
    method: string,
    path: string,
    init?: { readonly headers?: Record<string, string>; readonly body?: Uint8Array },
  ): Promise<Response>;
  stop(): Promise<void>;
}

/** Waits until a server that was started answers. */
export async function s3Server(
  started: Pick<S3Server, "name" | "endpoint" | "accessKeyId" | "secretAccessKey" | "stop">,
): Promise<S3Server> {
  const { endpoint, stop } = started;
  const clientOf = ({ accessKeyId, secretAccessKey }: S3Keys) =>
    new AwsClient({ accessKeyId, secretAccessKey, service: "s3", region: "us-east-1", retries: 0 });
  const send: S3Server["send"] = (method, path, { headers, body } = {}) =>
    clientOf(started).fetch(`${endpoint}/${path}`, {
      method,
      ...(headers && { headers }),
      ...(body && { body: Uint8Array.from(body) }),
    });
  await untilAnswering(endpoint);
  return {
    ...started,
    send,
    async createBucket(owner = started) {
      const bucket = `mote-${randomUUID()}`;
      const response = await clientOf(owner).fetch(`${endpoint}/${bucket}`, { method: "PUT" });
      if (!response.ok) throw new Error(`cannot create a bucket: ${response.status} ${await response.text()}`);
      return bucket;
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function untilAnswering(endpoint: string): Promise<void> {
  const signal = AbortSignal.timeout(90_000);
  for (;;) {
    signal.throwIfAborted();
    const response = await fetch(endpoint).catch(() => undefined);
    await response?.arrayBuffer();
    if (response !== undefined) return;
    // Nothing announces that the port is open.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
