/** The completion scripts of each shell. They run `mote __complete WORD…`, whose last word is the one to complete. */
export const completionScripts = {
  bash: String.raw`# mote completion bash: source it in ~/.bashrc, or save it as ~/.local/share/bash-completion/completions/mote
_mote() {
  # Words as typed, because bash would split references at colons.
  local line=${"$"}{COMP_LINE:0:COMP_POINT} words current kept candidate value
  read -r -a words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=${"$"}{words[-1]}
  kept=
  [[ $current == *:* && $COMP_WORDBREAKS == *:* ]] && kept=${"$"}{current%"${"$"}{current##*:}"}
  COMPREPLY=()
  while IFS= read -r candidate; do
    case $candidate in
      :files) compopt -o filenames 2>/dev/null; while IFS= read -r value; do COMPREPLY+=("${"$"}{value#"$kept"}"); done < <(compgen -f -- "$current") ;;
      :folders) compopt -o filenames 2>/dev/null; while IFS= read -r value; do COMPREPLY+=("${"$"}{value#"$kept"}"); done < <(compgen -d -- "$current") ;;
      *)
        value=${"$"}{candidate%%$'\t'*}
        [[ $value == *: || $value == */ ]] && compopt -o nospace 2>/dev/null
        COMPREPLY+=("${"$"}{value#"$kept"}") ;;
    esac
  done < <("${"$"}{words[0]}" __complete "${"$"}{words[@]:1}" 2>/dev/null)
}
complete -F _mote mote
`,
  zsh: String.raw`#compdef mote
# mote completion zsh: source it in ~/.zshrc after compinit, or save it as _mote in a directory of fpath
_mote() {
  local -a described
  local line paths=
  for line in "${"$"}{(@f)$("${"$"}{words[1]}" __complete "${"$"}{(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :files|:folders) paths=$line ;;
      ?*$'\t'*) described+=("${"$"}{${"$"}{line%%$'\t'*}//:/\\:}:${"$"}{line#*$'\t'}") ;;
      ?*) described+=("${"$"}{line//:/\\:}") ;;
    esac
  done
  (( $#described )) && _describe -V mote described -Q
  [[ $paths == :files ]] && _files
  [[ $paths == :folders ]] && _files -/
}
if [[ $funcstack[1] == _mote ]]; then _mote "$@"; else compdef _mote mote; fi
`,
  fish: `# mote completion fish: save it as ~/.config/fish/completions/mote.fish
function __mote_complete
    set -l words (commandline -opc)
    for line in (command $words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path (commandline -ct)
            case :folders
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $line
        end
    end
end
complete -c mote -f -a '(__mote_complete)'
`,
} as const;
