import { expect, it } from "vitest";
import { refCodec } from "./ref-codec.js";
import { transportFromImageName } from "./transport-name.js";

it.each([
  ["docker://alpine", "oci"],
  ["docker:alpine", "oci"],
  ["oci:dir:1", "oci"],
  ["dir:/a", "dir"],
  ["docker-archive:a.tar", "docker-archive"],
  ["oci-archive:a.tar", "oci-archive"],
  ["tarball:a.tar", "tarball"],
  ["ocidir://a", "oci"],
  ["containers-storage:alpine", "oci"],
  ["http://127.0.0.1:5000/a", "oci"],
  ["alpine", "oci"],
  ["alpine:3", "oci"],
  ["localhost:5000/a", "oci"],
  ["DIR:a", "oci"],
  ["", "oci"],
  ["dir", "oci"],
])("locations of %j are recorded as %s, also by the codec", (text, transport) => {
  expect(transportFromImageName(text)).toBe(transport);
  expect(refCodec.transport(text)).toBe(transport);
});
