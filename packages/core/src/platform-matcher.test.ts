import { describe, expect, it } from "vitest";
import { formatPlatform, parsePlatform } from "./platform.js";
import { PlatformMatcher } from "./platform-matcher.js";

const matches = (wanted: string, offered: string) =>
  new PlatformMatcher(parsePlatform(wanted)).matches(parsePlatform(offered));

/** Returns the best matching platform, the first of equal ones. */
function best(wanted: string, offered: readonly string[]): string | undefined {
  const matcher = new PlatformMatcher(parsePlatform(wanted));
  const fitting = offered.map((text) => parsePlatform(text)).filter((platform) => matcher.matches(platform));
  const [first] = fitting.sort((a, b) => matcher.compare(a, b));
  return first && formatPlatform(first);
}

describe("a platform", () => {
  it.each([
    ["linux/amd64", ["linux/amd64", "linux/amd64/v1", "linux/386"]],
    ["linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"]],
    ["linux/arm", ["linux/arm", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]],
    ["linux/arm/v6", ["linux/arm/v6", "linux/armel", "linux/arm/v5"]],
    ["linux/arm/v8", ["linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]],
    ["linux/arm64", ["linux/arm64/v8", "linux/arm64", "linux/aarch64", "linux/arm/v8", "linux/arm", "linux/arm/v5"]],
    ["linux/arm64/v9", ["linux/arm64/v9", "linux/arm64/v9.0", "linux/arm64/v8.5", "linux/arm64", "linux/arm/v7"]],
    ["linux/arm64/v9.6", ["linux/arm64/v9.1", "linux/arm64/v8.9", "linux/arm64"]],
    ["linux/s390x", ["linux/s390x"]],
    ["windows/amd64", ["windows(10.0.17763)/amd64", "windows/amd64"]],
    ["windows(10.0.17763)/amd64", ["windows(10.0.17763.2300)/amd64", "windows/amd64", "windows(10.0.17763)/amd64"]],
    ["windows(10.0.26100)/amd64", ["windows(10.0.20348.1)/amd64", "windows(10.0.26100.9)/amd64"]],
    ["windows(10.0.25398)/amd64", ["windows(10.0.20348)/amd64", "windows(10.0.22621)/amd64"]],
    ["windows(10.0)/amd64", ["windows(10.0.17763)/amd64"]],
    ["windows/amd64", ["windows(+win32k)/amd64"]],
    ["freebsd(14.1)/amd64", ["freebsd(14.1)/amd64", "freebsd(14.1.2)/amd64", "freebsd/amd64"]],
    ["linux(+gpu+simd)/amd64", ["linux/amd64", "linux(+gpu)/amd64"]],
  ])("%s runs compatible platforms", (wanted, offered) => {
    for (const one of offered) expect([one, matches(wanted, one)]).toEqual([one, true]);
  });

  it.each([
    ["linux/amd64", ["linux/amd64/v2", "linux/arm64", "windows/amd64", "darwin/amd64"]],
    ["linux/386", ["linux/amd64"]],
    ["linux/arm/v6", ["linux/arm", "linux/arm/v7", "linux/arm64"]],
    ["linux/arm/v5", ["linux/arm/v6", "linux/arm/v4"]],
    ["linux/arm", ["linux/arm/v8", "linux/arm64"]],
    ["linux/arm64", ["linux/arm64/v8.1", "linux/arm64/v9", "linux/arm/v4", "linux/amd64"]],
    ["linux/arm64/v9", ["linux/arm64/v8.6", "linux/arm64/v9.1"]],
    ["linux/arm64/v9.6", ["linux/arm64/v8.10"]],
    ["windows(10.0.17763)/amd64", ["windows(10.0.20348)/amd64", "windows(10.0.14393.1)/amd64", "windows(6.3)/amd64"]],
    ["windows(10.0.20348)/amd64", ["windows(10.0.17763)/amd64", "windows(10.0.26100)/amd64"]],
    ["windows(10.0.26100)/amd64", ["windows(10.0.17763)/amd64"]],
    ["windows(10.1)/amd64", ["windows(10.0.17763)/amd64"]],
    ["freebsd(14.1)/amd64", ["freebsd(14.10)/amd64", "freebsd(13.2)/amd64"]],
    ["linux/amd64", ["linux(+gpu)/amd64"]],
  ])("%s does not run other platforms", (wanted, offered) => {
    for (const one of offered) expect([one, matches(wanted, one)]).toEqual([one, false]);
  });

  it.each([
    ["linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/amd64"], "linux/arm/v6"],
    ["linux/arm", ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"],
    ["linux/amd64/v3", ["linux/386", "linux/amd64", "linux/amd64/v2"], "linux/amd64/v2"],
    ["linux/arm64/v9", ["linux/arm64", "linux/arm64/v8.2", "linux/arm/v7"], "linux/arm64/v8.2"],
    ["linux/arm64", ["linux/arm/v7", "linux/arm64"], "linux/arm64"],
    [
      "windows(10.0.17763.2)/amd64",
      ["windows(10.0.17763.11)/amd64", "windows(10.0.17763.2)/amd64", "windows/amd64"],
      "windows(10.0.17763.2)/amd64",
    ],
    [
      "windows(10.0.17763)/amd64",
      ["windows/amd64", "windows(10.0.17763.9)/amd64", "windows(10.0.17763.11)/amd64"],
      "windows(10.0.17763.11)/amd64",
    ],
    [
      "windows(10.0.26100)/amd64",
      ["windows(10.0.20348.1)/amd64", "windows(10.0.26100.1)/amd64"],
      "windows(10.0.26100.1)/amd64",
    ],
    ["windows/amd64", ["windows(10.0.1.1)/amd64", "windows(10.0.2.2)/amd64"], "windows(10.0.1.1)/amd64"],
    ["linux(+gpu)/amd64", ["linux/amd64", "linux(+gpu)/amd64"], "linux(+gpu)/amd64"],
    ["linux/arm/v7", ["linux/arm64", "linux/amd64"], undefined],
  ])("%s of %j prefers %s", (wanted, offered, expected) => {
    expect(best(wanted, offered)).toBe(expected);
  });

  it("is matched by aliases", () => {
    const matcher = new PlatformMatcher({ os: "linux", architecture: "arm64" });
    expect(matcher.matches({ os: "Linux", architecture: "AArch64", variant: "8" })).toBe(true);
    expect(matcher.matches({ os: "", architecture: "" })).toBe(false);
  });
});
