import type { Context } from "../context.js";
import { escapeText, textWidth, wrap } from "../output/terminal-text.js";
import { examineMote, type Finding } from "../wire.js";

export async function doctor(context: Context, hosts: readonly string[]): Promise<void> {
  const { out, signal } = context;
  const findings: Finding[] = [...settings(context)];
  for await (const finding of examineMote(context, hosts)) {
    signal.throwIfAborted();
    findings.push(finding);
  }
  const count = (state: Finding["state"]) => findings.filter((finding) => finding.state === state).length;
  const [warned, failed] = [count("warn"), count("fail")];
  const verdict = failed > 0 ? `${failed} failed` : warned > 0 ? "no failures" : "all checks passed";
  out.result({ ok: failed === 0, findings }, [
    ...findings.flatMap((finding) => lines(context, finding, Math.max(...findings.map(({ topic }) => topic.length)))),
    "",
    `${verdict}${warned > 0 ? `, ${warned} ${warned === 1 ? "warning" : "warnings"}` : ""}`,
  ]);
  if (failed > 0) process.exitCode = 1;
}

function settings({ loaded }: Context): Finding[] {
  const files = loaded.files.filter(({ exists }) => exists).map(({ path }) => path);
  return [
    {
      topic: "settings",
      state: "ok",
      says: files.length > 0 ? files.join(", ") : "no configuration file; see `mote config`",
    },
  ];
}

function lines({ out }: Context, { topic, state, says, advice }: Finding, widest: number): string[] {
  const { style, columns } = out;
  const marks = { ok: style.green("ok  "), warn: style.yellow("warn"), fail: style.red("fail") };
  const head = `${marks[state]}  ${topic.padEnd(widest)}  `;
  const indent = " ".repeat(textWidth(head));
  const width = columns === undefined ? Number.POSITIVE_INFINITY : Math.max(20, columns - indent.length);
  const text = advice === undefined ? says : `${says}; ${advice}`;
  return wrap(escapeText(text), width).map((line, at) => `${at === 0 ? head : indent}${line}`);
}
