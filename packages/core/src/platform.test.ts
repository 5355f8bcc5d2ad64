import { describe, expect, it } from "vitest";
import { formatPlatform, localPlatform, normalizePlatform, parsePlatform } from "./platform.js";

const local = { os: "linux", architecture: "riscv64" };

describe("parsePlatform", () => {
  it.each([
    ["linux/amd64", { os: "linux", architecture: "amd64" }],
    ["Linux/x86_64", { os: "linux", architecture: "amd64" }],
    ["linux/x86-64", { os: "linux", architecture: "amd64" }],
    ["linux/amd64/v1", { os: "linux", architecture: "amd64" }],
    ["linux/amd64/V3", { os: "linux", architecture: "amd64", variant: "v3" }],
    ["linux/i386", { os: "linux", architecture: "386" }],
    ["linux/AARCH64", { os: "linux", architecture: "arm64" }],
    ["linux/arm64/v8", { os: "linux", architecture: "arm64", variant: "v8" }],
    ["linux/arm64/9", { os: "linux", architecture: "arm64", variant: "v9" }],
    ["linux/arm", { os: "linux", architecture: "arm" }],
    ["linux/arm/v7", { os: "linux", architecture: "arm", variant: "v7" }],
    ["linux/arm/6", { os: "linux", architecture: "arm", variant: "v6" }],
    ["linux/armhf", { os: "linux", architecture: "arm" }],
    ["linux/armel", { os: "linux", architecture: "arm", variant: "v6" }],
    ["macOS/arm64", { os: "darwin", architecture: "arm64" }],
    ["linux/loong64", { os: "linux", architecture: "loong64" }],
    ["windows(10.0.20348)/amd64", { os: "windows", architecture: "amd64", "os.version": "10.0.20348" }],
    [
      "windows(10.0.20348+win32k+a)/amd64",
      { os: "windows", architecture: "amd64", "os.version": "10.0.20348", "os.features": ["a", "win32k"] },
    ],
    ["linux(+gpu)/arm64", { os: "linux", architecture: "arm64", "os.features": ["gpu"] }],
    ["windows(1%2B2)/amd64", { os: "windows", architecture: "amd64", "os.version": "1+2" }],
    ["windows()/amd64", { os: "windows", architecture: "amd64" }],
  ])("parses %s", (text, platform) => {
    expect(parsePlatform(text)).toEqual(platform);
  });

  it("completes a single word from the local platform", () => {
    expect(parsePlatform("windows(10.0.17763)", { local })).toEqual({
      os: "windows",
      architecture: "riscv64",
      "os.version": "10.0.17763",
    });
    expect(parsePlatform("armhf", { local })).toEqual({ os: "linux", architecture: "arm" });
    expect(parsePlatform("linux", { local: { os: "linux", architecture: "arm", variant: "v6" } })).toEqual({
      os: "linux",
      architecture: "arm",
      variant: "v6",
    });
    expect(parsePlatform("linux")).toEqual({ ...localPlatform(), os: "linux" });
  });

  it.each(
    [
      "",
      "/",
      "/linux/arm",
      "linux/",
      "linux//v8",
      "linux/arm/",
      "linux/arm/v7/x",
      "linux /arm",
      "linux/&arm",
      "linux/arm64,linux/amd64",
      "windows(10.0/amd64",
      "windows(%zz)/amd64",
      "linux\u001b/amd64",
      "windows/amd64:10.0",
      "marvellous",
      "*",
    ].map((text) => [text]),
  )("rejects %j", (text) => {
    expect(() => parsePlatform(text)).toThrow(TypeError);
  });
});

describe("formatPlatform", () => {
  it.each([
    "linux/amd64",
    "linux/arm/v6",
    "windows(10.0.20348)/amd64",
    "windows(10.0.20348+win32k)/amd64",
    "linux(+gpu+simd)/arm64/v8",
    "windows(1%2B2%28x%29%2F%25)/amd64",
  ])("formats %s as it was parsed", (text) => {
    expect(formatPlatform(parsePlatform(text))).toBe(text);
  });
});

describe("normalizePlatform", () => {
  it("normalizes aliases", () => {
    const spellings = ["arm", "armhf"].map((architecture) => ({ os: "Linux", architecture }));
    for (const one of [...spellings, { os: "linux", architecture: "arm", variant: "7" }]) {
      expect(normalizePlatform(one)).toEqual({ os: "linux", architecture: "arm", variant: "v7" });
    }
    expect(normalizePlatform({ os: "linux", architecture: "arm64", variant: "v8" })).toEqual({
      os: "linux",
      architecture: "arm64",
    });
  });
});
