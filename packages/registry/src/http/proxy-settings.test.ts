import { describe, expect, it } from "vitest";
import { codeOf, shownBy } from "../../test/outcome.js";
import { proxyFor } from "./proxy-settings.js";

const chosen = (url: string, env: Record<string, string>) => {
  const proxy = proxyFor(new URL(url), env);
  return proxy && `${proxy.url.origin} by ${proxy.variable}`;
};

describe("the proxy", () => {
  it("is that of the URL's scheme, or else ALL_PROXY", () => {
    const env = { HTTP_PROXY: "http://a:1", HTTPS_PROXY: "http://b:2", ALL_PROXY: "http://c:3" };
    expect(chosen("http://r.example/", env)).toBe("http://a:1 by HTTP_PROXY");
    expect(chosen("https://r.example/", env)).toBe("http://b:2 by HTTPS_PROXY");
    expect(chosen("https://r.example/", { HTTP_PROXY: "http://a:1" })).toBeUndefined();
    expect(chosen("https://r.example/", { HTTP_PROXY: "http://a:1", all_proxy: "http://c:3" })).toBe(
      "http://c:3 by all_proxy",
    );
    expect(chosen("http://r.example/", {})).toBeUndefined();
  });

  it("in ALL_PROXY is ignored if it uses SOCKS", () => {
    expect(chosen("https://r.example/", { ALL_PROXY: "socks5h://127.0.0.1:1080" })).toBeUndefined();
  });

  it("is read from the lower-case variable first, unless that is empty", () => {
    const both = { https_proxy: "http://a:1", HTTPS_PROXY: "http://b:2" };
    expect(chosen("https://r.example/", both)).toBe("http://a:1 by https_proxy");
    expect(chosen("https://r.example/", { ...both, https_proxy: "" })).toBe("http://b:2 by HTTPS_PROXY");
    expect(chosen("https://r.example/", { https_proxy: "", HTTPS_PROXY: "" })).toBeUndefined();
  });

  it("is not used for hosts in NO_PROXY, in lower or upper case", () => {
    const env = { HTTPS_PROXY: "http://b:2" };
    expect(chosen("https://r.example/", { ...env, NO_PROXY: "r.example" })).toBeUndefined();
    expect(chosen("https://r.example/", { ...env, no_proxy: "", NO_PROXY: "r.example" })).toBeUndefined();
    expect(chosen("https://r.example/", { ...env, no_proxy: "x.example", NO_PROXY: "r.example" })).toBeDefined();
    expect(chosen("https://r.example:5000/", { ...env, NO_PROXY: "r.example:5000" })).toBeUndefined();
    expect(chosen("https://r.example/", { ...env, NO_PROXY: "r.example:443" })).toBeUndefined();
    expect(chosen("http://r.example/", { http_proxy: "a:1", NO_PROXY: "r.example:80" })).toBeUndefined();
    expect(chosen("https://[fd00::1]:5000/", { ...env, NO_PROXY: "fd00::/8" })).toBeUndefined();
  });

  it("is not read from HTTP_PROXY in a CGI program", () => {
    const env = { REQUEST_METHOD: "GET", HTTP_PROXY: "http://evil:1" };
    expect(chosen("http://r.example/", env)).toBeUndefined();
    expect(chosen("http://r.example/", { ...env, http_proxy: "http://a:1" })).toBe("http://a:1 by http_proxy");
    expect(chosen("https://r.example/", { ...env, HTTPS_PROXY: "http://a:1" })).toBe("http://a:1 by HTTPS_PROXY");
  });

  it.each([
    ["proxy.example:3128", "http://proxy.example:3128", undefined],
    ["proxy.example", "http://proxy.example", undefined],
    [" http://proxy.example:3128/ ", "http://proxy.example:3128", undefined],
    ["HTTP://Proxy.Example:3128", "http://proxy.example:3128", undefined],
    ["10.0.0.1:3128", "http://10.0.0.1:3128", undefined],
    ["http://[fd00::1]:3128", "http://[fd00::1]:3128", undefined],
    ["[fd00::1]:3128", "http://[fd00::1]:3128", undefined],
    ["https://proxy.example", "https://proxy.example", undefined],
    ["http://ann:s3cret@proxy.example:3128", "http://proxy.example:3128", "ann:s3cret"],
    ["ann:s3cret@proxy.example:3128", "http://proxy.example:3128", "ann:s3cret"],
    ["http://a%40b:s3%3A%2F%40cret@proxy.example", "http://proxy.example", "a@b:s3:/@cret"],
    ["http://ann:100%@proxy.example", "http://proxy.example", "ann:100%"],
    ["http://ann:@proxy.example", "http://proxy.example", "ann:"],
    ["http://ann@proxy.example", "http://proxy.example", "ann:"],
    ["http://caf%C3%A9:x@proxy.example", "http://proxy.example", "café:x"],
  ])("%j is parsed as %s with the login %s", (text, origin, login) => {
    const proxy = proxyFor(new URL("https://r.example/"), { https_proxy: text });
    expect(proxy?.url.href).toBe(`${origin}/`);
    const said = proxy?.authorization?.replace(/^Basic /, "");
    expect(said === undefined ? undefined : Buffer.from(said, "base64").toString()).toBe(login);
  });

  it.each(["http://ann:s3cret@[bad", "socks5://ann:s3cret@proxy:1080", "ftp://ann:s3cret@x", "http://"])(
    "%j is an error in the settings that names the variable, and not the password",
    async (text) => {
      const choosing = (async () => proxyFor(new URL("https://r.example/"), { https_proxy: text }))();
      expect(await codeOf(choosing)).toBe("MOTE_CONFIG");
      expect(await shownBy(choosing)).toContain("https_proxy");
      expect(await shownBy(choosing)).not.toContain("s3cret");
    },
  );
});
