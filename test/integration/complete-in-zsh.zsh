# zsh -f complete-in-zsh.zsh ROOT MODULES SCRIPT LINE: types LINE and two tabs into an interactive zsh, and prints what its terminal shows.
module_path=($2)
zmodload zsh/zpty || exit 2
zpty shell "$1/bin/zsh -f -i"
zpty -w shell "module_path=($2); fpath=($1/usr/share/zsh/functions/**/*(/)); autoload -Uz compinit; compinit -D -u; source $3; \
unsetopt menu_complete auto_menu; LISTMAX=10000; bindkey '^I' complete-word; done-now() { print DO''NE }; zle -N done-now; bindkey '^X' done-now; print LOA''DED"
until_shown() {
  shown=''
  while zpty -r shell piece; do
    shown+=$piece
    [[ $shown == *$1* ]] && break
  done
}
until_shown LOADED
zpty -w -n shell "$4"$'\t\t\x18'
until_shown DONE
print -r -- $shown
zpty -d shell
