import { command } from "../input/command.js";

const shells = ["bash", "zsh", "fish"];

export const completion = command({
  name: "completion",
  group: "Setup",
  summary: "Print a completion script for a shell",
  arguments: { shell: { summary: `the shell: ${shells.join(", ")}`, completes: shells } },
  examples: [
    {
      line: "mote completion bash > ~/.local/share/bash-completion/completions/mote",
      does: "Enable completion in new bash sessions",
    },
    { line: "mote completion zsh > ~/.zfunc/_mote", does: "Enable it in zsh, if ~/.zfunc is in fpath" },
    { line: "mote completion fish > ~/.config/fish/completions/mote.fish", does: "Enable it in fish" },
  ],
  withoutJson: "it prints a script",
  cacheFolder: "unused",
  run: async (context, { shell }) => (await import("../commands/completion.js")).completion(context, shell),
});
