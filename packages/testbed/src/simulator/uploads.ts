import { randomUUID } from "node:crypto";
import type { Reply, SimulatedRequest } from "./behaviour.js";
import { errorReply } from "./replies.js";
import { type Repositories, sha256, type Upload } from "./repositories.js";

/** Handles monolithic and chunked uploads and mounts (distribution-spec, "Pushing blobs"). */
export function replyToUpload(request: SimulatedRequest, repositories: Repositories): Reply {
  const { route } = request;
  if (route.kind === "uploads") return begin(request, repositories, route.repository);
  if (route.kind !== "upload") return errorReply(404, "NOT_FOUND");
  const upload = repositories.uploads.get(route.id);
  if (upload === undefined) return errorReply(404, "BLOB_UPLOAD_UNKNOWN");
  const here = { ...route, upload };
  switch (request.method) {
    case "PATCH":
      return append(request, repositories, here);
    case "PUT":
      return finish(request, repositories, here);
    case "GET":
      return progress(here, 204, upload.bytes.byteLength);
    case "DELETE":
      repositories.uploads.delete(route.id);
      return { status: 204 };
    default:
      return errorReply(405, "UNSUPPORTED");
  }
}

interface Target {
  readonly repository: string;
  readonly id: string;
  readonly upload: Upload;
}

function begin({ url, body, method }: SimulatedRequest, repositories: Repositories, repository: string): Reply {
  if (method !== "POST") return errorReply(405, "UNSUPPORTED");
  const [digest, mount, from] = ["digest", "mount", "from"].map((name) => url.searchParams.get(name));
  if (typeof digest === "string") return store(repositories, repository, digest, body);
  const mounted = mount && from ? repositories.get(from).blobs.get(mount) : undefined;
  if (mounted !== undefined) return store(repositories, repository, mount ?? "", mounted);
  return beginUpload(repositories, repository);
}

/** Starts an upload. It is also the response to a mount that does not succeed. */
export function beginUpload(repositories: Repositories, repository: string): Reply {
  const id = randomUUID();
  const upload = { repository, bytes: new Uint8Array() };
  repositories.uploads.set(id, upload);
  return progress({ repository, id, upload }, 202, 0);
}

function append({ headers, body }: SimulatedRequest, repositories: Repositories, target: Target): Reply {
  const has = target.upload.bytes.byteLength;
  const [, start, end] = /^(?:bytes )?(\d+)-(\d+)$/.exec(String(headers["content-range"] ?? "")) ?? [];
  const isAligned = start === undefined || (Number(start) === has && Number(end) === has + body.byteLength - 1);
  if (!isAligned) return progress(target, 416, has);
  const bytes = Buffer.concat([target.upload.bytes, body]);
  repositories.uploads.set(target.id, { ...target.upload, bytes });
  return progress(target, 202, bytes.byteLength);
}

function finish({ url, body }: SimulatedRequest, repositories: Repositories, target: Target): Reply {
  const { repository, id, upload } = target;
  const reply = store(
    repositories,
    repository,
    url.searchParams.get("digest") ?? "",
    Buffer.concat([upload.bytes, body]),
  );
  if (reply.status === 201) repositories.uploads.delete(id);
  return reply;
}

function store(repositories: Repositories, repository: string, digest: string, bytes: Uint8Array): Reply {
  if (sha256(bytes) !== digest) return errorReply(400, "DIGEST_INVALID");
  repositories.addBlob(repository, bytes, digest);
  return {
    status: 201,
    headers: { location: `/v2/${repository}/blobs/${digest}`, "docker-content-digest": digest },
  };
}

function progress({ repository, id }: Target, status: number, has: number): Reply {
  return {
    status,
    headers: {
      location: `/v2/${repository}/blobs/uploads/${id}`,
      range: has === 0 ? undefined : `0-${has - 1}`,
      "docker-upload-uuid": id,
    },
  };
}
