import { describe, expect, it } from "vitest";
import { homeFolders } from "./home-folders.js";

const known = (homedir: string | null) => () => ({ homedir });
const unknown = () => {
  throw new Error("uv_os_get_passwd returned ENOENT");
};

describe("the home folder", () => {
  it("is HOME if it is an absolute path, and otherwise that of the user database", () => {
    expect(homeFolders({ HOME: "/home/ann" }, known("/other")).home).toBe("/home/ann");
    expect(homeFolders({ HOME: "/" }, known("/other")).home).toBe("/");
    for (const HOME of [undefined, "", "relative", "./here", "~"]) {
      expect([HOME, homeFolders({ HOME }, known("/other")).home]).toEqual([HOME, "/other"]);
    }
  });

  it("is undefined for a user without HOME and without an entry in the database", () => {
    for (const userInfo of [unknown, known(""), known(null), known("nowhere")]) {
      expect(homeFolders({ HOME: "" }, userInfo)).toEqual({
        home: undefined,
        config: undefined,
        cache: undefined,
        runtime: undefined,
      });
    }
  });

  it("is USERPROFILE on Windows", () => {
    expect(homeFolders({ USERPROFILE: "C:\\Users\\ann" }, unknown).home).toBe("C:\\Users\\ann");
    expect(homeFolders({ USERPROFILE: "\\\\server\\ann" }, unknown).home).toBe("\\\\server\\ann");
  });
});

describe("the other folders", () => {
  it("are in the home folder unless a variable is set", () => {
    expect(homeFolders({ HOME: "/home/ann" }, unknown)).toMatchObject({
      config: "/home/ann/.config",
      cache: "/home/ann/.cache",
    });
    expect(homeFolders({ HOME: "/" }, unknown)).toMatchObject({ config: "/.config", cache: "/.cache" });
    const env = { XDG_CONFIG_HOME: "/c", XDG_CACHE_HOME: "/d", XDG_RUNTIME_DIR: "/run/user/7" };
    expect(homeFolders(env, unknown)).toEqual({
      home: undefined,
      config: "/c",
      cache: "/d",
      runtime: "/run/user/7",
    });
  });

  it("ignore variables with an empty or relative path", () => {
    for (const path of ["", "relative", "../up"]) {
      const env = { HOME: "/h", XDG_CONFIG_HOME: path, XDG_CACHE_HOME: path, XDG_RUNTIME_DIR: path };
      expect(homeFolders(env, unknown)).toEqual({
        home: "/h",
        config: "/h/.config",
        cache: "/h/.cache",
        runtime: undefined,
      });
    }
  });
});
