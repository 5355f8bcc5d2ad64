import { errorCode, MoteError } from "@mote/core";

export function cannotListen(host: string, port: number, cause: unknown): MoteError {
  const code = errorCode(cause);
  return new MoteError("MOTE_LISTEN", `cannot listen on ${host} port ${port}: ${whatToDo(code)}`, {
    cause,
    details: { host, port, reason: code },
  });
}

function whatToDo(code: unknown): string {
  switch (code) {
    case "EADDRINUSE":
      return "the port is taken; choose another, or 0 for a free one";
    case "ERR_SOCKET_BAD_PORT":
      return "a port is a number from 0 to 65535";
    case "EACCES":
      return "permission denied; use a port ≥ 1024";
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return "the address is not one of this machine's; try 127.0.0.1";
    default:
      return `the system says ${String(code)}`;
  }
}
