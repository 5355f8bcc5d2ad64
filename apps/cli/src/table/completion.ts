import { command } from "../input/command.js";

const shells = ["bash", "zsh", "fish"];

export const completion = command({
  name: "completion",
  group: "Set up",
  summary: "print what makes a shell complete commands, options, and what the cache keeps",
  arguments: { shell: { summary: shells.join(", "), completes: shells } },
  examples: [
    {
      line: "mote completion bash > ~/.local/share/bash-completion/completions/mote",
      does: "for bash, from its next start on",
    },
    { line: "mote completion zsh > ~/.zfunc/_mote", does: "for zsh, where ~/.zfunc is in fpath" },
    { line: "mote completion fish > ~/.config/fish/completions/mote.fish", does: "for fish, at once" },
  ],
  withoutJson: "it prints a script",
  cacheFolder: "unused",
  run: async (context, { shell }) => (await import("../commands/completion.js")).completion(context, shell),
});
