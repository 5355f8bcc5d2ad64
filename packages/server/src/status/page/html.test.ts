import { expect, it } from "vitest";
import { html } from "./html.js";

it("text is escaped, HTML is not, and undefined is nothing", () => {
  const list = ["<script>", `"a'&b"`].map((text) => html`<li title="${text}">${text}</li>`);
  expect(html`<ul>${list}${undefined}${5}</ul>`.text).toBe(
    '<ul><li title="&lt;script&gt;">&lt;script&gt;</li><li title="&quot;a&#39;&amp;b&quot;">&quot;a&#39;&amp;b&quot;</li>5</ul>',
  );
});

it("control characters and those that change the direction of text are replaced", () => {
  expect(html`${"a\u0000b\u001bc\u202ed\u2066e\nf"}`.text).toBe("a\ufffdb\ufffdc\ufffdd\ufffde\nf");
});
