import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listenOnLoopback } from "@mote/testbed";

/** A service with the requests of S3 that a writer sends. It reads all bytes and discards them. */
export interface BucketSink extends AsyncDisposable {
  readonly endpoint: string;
  /** The bytes that were received. */
  receivedBytes(): number;
}

export async function startBucketSink(): Promise<BucketSink> {
  let received = 0;
  const server = createServer(async (request, response) => {
    for await (const chunk of request) received += chunk.byteLength;
    respond(request, response);
  });
  return {
    endpoint: `http://${await listenOnLoopback(server)}`,
    receivedBytes: () => received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function respond({ method, url = "" }: IncomingMessage, response: ServerResponse): void {
  if (method === "PUT") response.writeHead(200, { etag: '"x"' }).end();
  else if (method !== "POST") response.writeHead(404).end("<Error><Code>NoSuchKey</Code></Error>");
  else if (!url.includes("?uploads")) response.end("<CompleteMultipartUploadResult/>");
  else response.end("<InitiateMultipartUploadResult><UploadId>x</UploadId></InitiateMultipartUploadResult>");
}
