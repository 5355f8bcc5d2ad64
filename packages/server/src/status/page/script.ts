/** The script of the page: refreshes what is marked as live, searches while typing, and copies texts. Everything works without it. */
export const script = `
"use strict";
(() => {
  const everyMs = 5000;
  const note = document.getElementById("refresh-note");
  const search = document.getElementById("search");
  let running;
  async function refresh() {
    running?.abort();
    const own = new AbortController();
    running = own;
    const { signal } = own;
    try {
      const response = await fetch(location.pathname + location.search, { signal, cache: "no-store" });
      if (!response.ok) throw new Error(response.statusText);
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const next = fresh.getElementById(part.id);
        if (next !== null && next.innerHTML !== part.innerHTML) part.replaceChildren(...next.childNodes);
      }
      note.textContent = "";
    } catch {
      if (!signal.aborted) note.textContent = "The server does not answer. These figures may be old.";
    } finally {
      if (running === own) running = undefined;
    }
  }
  setInterval(() => {
    // What is selected stays, and a slow answer is not requested again.
    if (document.visibilityState === "visible" && getSelection().isCollapsed && running === undefined) refresh();
  }, everyMs);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());

  let typing;
  const find = () => {
    const text = search.value.trim();
    history.replaceState(null, "", text === "" ? location.pathname : "?q=" + encodeURIComponent(text));
    refresh();
  };
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(find, 200);
  });
  search.form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    find();
  });
  document.getElementById("images-live").addEventListener("click", (event) => {
    if (event.target.closest("a") === null) return;
    event.preventDefault();
    search.value = "";
    search.focus();
    find();
  });

  for (const block of document.querySelectorAll("figure.code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const text = block.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        // Without TLS there is no clipboard: the text is selected instead.
        getSelection().selectAllChildren(block.querySelector("code"));
        button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
      }
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    block.append(button);
  }
})();
`;
