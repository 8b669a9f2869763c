import type { CompletedCommand, CompletedOption, CompletedValue, CompletionTree } from './completion-tree.ts';

/** The completion for bash 4 and later; needs nothing else, such as the package bash-completion. */
export function formatBashCompletion({ program, options, commands }: CompletionTree): string {
  const all = withPaths(commands);
  const groups = all.filter((command) => command.commands.length > 0);
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
    [[ \${COMP_WORDS[index]} == -* ]] && continue
    command=\${command:+$command }\${COMP_WORDS[index]}
    case $command in
${groups.map(({ path }) => `    ${quoted(path)}) ;;\n`).join('')}    *) break ;;
    esac
  done
  case "$command $previous" in
${all.flatMap((command) => valueCases(command)).join('')}  *)
    case "$command $current" in
    ' '-*) kind=${quoted(flagsOf(options))} ;;
    ' '*) kind=${quoted(commands.map((command) => command.name).join(' '))} ;;
${all.flatMap((command) => wordCases(command)).join('')}    esac
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

type PathedCommand = CompletedCommand & {
  /** `cluster run`. */
  readonly path: string;
};

/** The commands of a group before it, since its pattern fits theirs, too. */
function withPaths(commands: readonly CompletedCommand[], before = ''): PathedCommand[] {
  return commands.flatMap((command) => {
    const path = `${before}${command.name}`;
    return [...withPaths(command.commands, `${path} `), { ...command, path }];
  });
}

/** After an option that takes a value. */
function valueCases({ path, options }: PathedCommand): string[] {
  return options.flatMap(({ flags, value }) =>
    value === null ? [] : [`  ${flags.map((flag) => quoted(`${path} ${flag}`)).join(' | ')}) kind=${kindOf(value)} ;;\n`],
  );
}

function wordCases({ path, options, arguments: [argument], commands }: PathedCommand): string[] {
  const words = commands.length > 0 ? quoted(commands.map(({ name }) => name).join(' ')) : argument === undefined ? "''" : kindOf(argument);
  return [`    ${quoted(`${path} -`)}*) kind=${quoted(flagsOf(options))} ;;\n`, `    ${quoted(`${path} `)}*) kind=${words} ;;\n`];
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
