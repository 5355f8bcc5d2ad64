/** Uploads half of a blob and then waits until it is killed: `node upload-process.mjs FOLDER`. Prints the id. */
import { FileCache } from "../dist/index.js";

const { uploads } = new FileCache(process.argv[2]);
const { id } = await uploads.begin("library/app");
async function* half() {
  yield new Uint8Array(150_000).fill(7);
  // The file has the first chunk when the second one is requested.
  console.log(id);
  await new Promise(() => setInterval(() => {}, 1000));
}
await uploads.append("library/app", id, half());
