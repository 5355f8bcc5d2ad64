import { expect, it } from "vitest";
import { fileError } from "./file-error.js";

const failed = (code: string) => Object.assign(new Error(code), { code });

it.each([
  ["EACCES", "cannot read /c/format.json (EACCES); check its permissions and owner"],
  ["EPERM", "cannot read /c/format.json (EPERM); check its permissions and owner"],
  ["EIO", "cannot read /c/format.json (EIO); the disk or its connection may be failing"],
  ["EMFILE", "cannot read /c/format.json (EMFILE); too many files are open: raise the limit or lower the concurrency"],
  ["EFBIG", "cannot read /c/format.json (EFBIG); it is too large to be one of the cache's files: move it away"],
])("an error of reading a file (%s) says what to do", (code, message) => {
  expect(fileError(failed(code), "read", "/c/format.json")).toMatchObject({ code: "MOTE_IO", message });
});
