import type { CompletedCommand, CompletedOption, CompletedValue, CompletionTree } from './completion-tree.ts';

/** The completion for bash 4 and later; needs nothing else, such as the package bash-completion. */
export function formatBashCompletion({ program, options, commands }: CompletionTree): string {
  const name = `_${program.replaceAll(/\W/g, '_')}`;
  return `# bash completion of ${program}; made by: ${program} completion bash
${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command='' index kind=''
  # bash takes --option=value for three words.
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]] && ((COMP_CWORD > 1)); then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    if [[ \${COMP_WORDS[index]} != -* ]]; then
      command=\${COMP_WORDS[index]}
      break
    fi
  done
  case "$command $previous" in
${commands.flatMap((command) => valueCases(command)).join('')}  *)
    case "$command $current" in
    ' '-*) kind=${quoted(flagsOf(options))} ;;
    ' '*) kind=${quoted(commands.map((command) => command.name).join(' '))} ;;
${commands.flatMap((command) => wordCases(command)).join('')}    esac
    ;;
  esac
  case $kind in
  '') COMPREPLY=() ;;
  FILE)
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    ;;
  FOLDER)
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$current")
    ;;
  *) mapfile -t COMPREPLY < <(compgen -W "$kind" -- "$current") ;;
  esac
}
complete -F ${name} ${program}
`;
}

/** After an option that takes a value. */
function valueCases({ name, options }: CompletedCommand): string[] {
  return options.flatMap(({ flags, value }) =>
    value === null ? [] : [`  ${flags.map((flag) => quoted(`${name} ${flag}`)).join(' | ')}) kind=${kindOf(value)} ;;\n`],
  );
}

function wordCases({ name, options, arguments: [argument] }: CompletedCommand): string[] {
  const ofOptions = `    ${quoted(`${name} -`)}*) kind=${quoted(flagsOf(options))} ;;\n`;
  return [ofOptions, ...(argument === undefined ? [] : [`    ${quoted(`${name} `)}*) kind=${kindOf(argument)} ;;\n`])];
}

function kindOf({ kind }: CompletedValue): string {
  if (typeof kind === 'object') return quoted(kind.words.join(' '));
  return { file: 'FILE', folder: 'FOLDER', text: "''" }[kind];
}

function flagsOf(options: readonly CompletedOption[]): string {
  return options.flatMap(({ flags }) => flags).join(' ');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
