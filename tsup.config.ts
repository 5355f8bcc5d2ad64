import { defineConfig } from "tsup";

/** JavaScript only: the declarations come from tsc, which keeps the lib reference that AsyncDisposable needs. */
export default defineConfig({
  entry: ["src/index.ts"],
  format: "esm",
  target: "node20",
  platform: "node",
  sourcemap: true,
  clean: true,
  treeshake: true,
  removeNodeProtocol: false,
});
