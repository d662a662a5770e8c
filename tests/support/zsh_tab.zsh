# Presses TAB in a real zsh and prints what it offers.
# $1: directory of the completion functions; $2: the line before the TAB; $3: what to type first
export TERM=xterm  # the terminal that this file is: a clean environment has none, and zsh then edits no line
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PROMPT= LISTMAX=10000 COMPDUMP=/dev/null; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D; $3
finish() { print; print ENDED }; zle -N finish; bindkey '^X' finish; bindkey '^I' list-choices
zstyle ':completion:*' list-packed no; zstyle ':completion:*' verbose no; print STAR''TED"
while zpty -r shell line; do [[ $line == *STARTED* ]] && break; done
zpty -w -n shell "$2"$'\t'$'\C-x'
while zpty -r shell line; do
    [[ $line == *ENDED* ]] && break
    print -r -- "$line"
done
zpty -d shell
