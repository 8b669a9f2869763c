import type { CompletedCommand, CompletedOption, CompletedValue, CompletionTree } from './completion-tree.ts';

/** The completion for zsh, as a file in its `fpath` or to source. */
export function formatZshCompletion({ program, options, commands }: CompletionTree): string {
  const name = `_${program.replaceAll(/\W/g, '_')}`;
  return `#compdef ${program}
# zsh completion of ${program}; made by: ${program} completion zsh
${name}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
${groupLines({ options, commands }).join('\n')}
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  ${name} "$@"
else
  compdef ${name} ${program}
fi
`;
}

/** The program's own, or those of a group of commands. */
function groupLines({ options, commands }: Pick<CompletionTree, 'options' | 'commands'>): string[] {
  const list = commands.map((command) => `${command.name}\\:${escaped(command.description, /[\\\s()'"$`:[\]]/g)}`).join(' ');
  return [
    '  state=',
    '  _arguments -C \\',
    ...specLines([...options.flatMap(optionSpecs), `1:command:((${list}))`, '*::argument:->rest']),
    '  [[ $state == rest ]] || return',
    '  case $words[1] in',
    ...commands.flatMap((command) => [`  ${command.name})`, ...commandLines(command).map((line) => `  ${line}`), '    ;;']),
    '  esac',
  ];
}

function commandLines(command: CompletedCommand): string[] {
  if (command.commands.length > 0) return groupLines(command);
  const { options, arguments: given } = command;
  const specs = [
    ...options.flatMap(optionSpecs),
    ...given.map((value, index) => `${value.repeats ? '*' : String(index + 1)}:${value.name}:${action(value)}`),
  ];
  return ['  _arguments \\', ...specLines(specs)];
}

/** Each but the last goes on in the next line. */
function specLines(specs: readonly string[]): string[] {
  return specs.map((spec, index) => `    '${spec}'${index < specs.length - 1 ? ' \\' : ''}`);
}

/** One for each flag: `(-o --output)--output=[output format]:format:(table json yaml)`. */
function optionSpecs({ flags, description, value }: CompletedOption): string[] {
  const before = value?.repeats === true ? '*' : `(${flags.join(' ')})`;
  const text = `[${escaped(description, /[\\[\]:]/g)}]`;
  return flags.map((flag) => {
    if (value === null) return `${before}${flag}${text}`;
    return `${before}${flag}${flag.startsWith('--') ? '=' : '+'}${text}:${value.name}:${action(value)}`;
  });
}

function action({ kind }: CompletedValue): string {
  if (typeof kind === 'object') return `(${kind.words.join(' ')})`;
  return { file: '_files', folder: '_files -/', text: ' ' }[kind];
}

/** For a text within single quotes. */
function escaped(text: string, special: RegExp): string {
  return text.replaceAll(special, String.raw`\$&`).replaceAll("'", String.raw`'\''`);
}
