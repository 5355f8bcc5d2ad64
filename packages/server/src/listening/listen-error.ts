import { errorCode, MoteError } from "@mote/core";

export function cannotListen(host: string, port: number, cause: unknown): MoteError {
  const code = errorCode(cause);
  return new MoteError("MOTE_LISTEN", `cannot listen on ${host} port ${port}: ${adviceFor(code)}`, {
    cause,
    details: { host, port, reason: code },
  });
}

function adviceFor(code: unknown): string {
  switch (code) {
    case "EADDRINUSE":
      return "the port is in use; choose another, or 0 for a free port";
    case "ERR_SOCKET_BAD_PORT":
      return "the port is not valid; use a number from 0 to 65535";
    case "EACCES":
      return "permission denied; use a port ≥ 1024";
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return "this machine does not have the address; try 127.0.0.1";
    default:
      return `system error ${String(code)}`;
  }
}
