import type { CompletedCommand, CompletedOption, CompletedValue, CompletionTree } from './completion-tree.ts';

/** The completion for zsh, as a file in its `fpath` or to source. */
export function formatZshCompletion({ program, options, commands }: CompletionTree): string {
  const name = `_${program.replaceAll(/\W/g, '_')}`;
  const list = commands.map((command) => `${command.name}\\:${escaped(command.description, /[\\\s()'"$`:[\]]/g)}`).join(' ');
  return `#compdef ${program}
# zsh completion of ${program}; made by: ${program} completion zsh
${name}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  _arguments -C \\
${options.flatMap(optionSpecs).map(specLine).join('')}    '1:command:((${list}))' \\
    '*::argument:->rest'
  [[ $state == rest ]] || return
  case $words[1] in
${commands.map(commandCase).join('')}  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  ${name} "$@"
else
  compdef ${name} ${program}
fi
`;
}

function commandCase({ name, options, arguments: given }: CompletedCommand): string {
  const specs = [
    ...options.flatMap(optionSpecs),
    ...given.map((value, index) => `${value.repeats ? '*' : String(index + 1)}:${value.name}:${action(value)}`),
  ];
  return `  ${name})\n    _arguments \\\n${specs
    .map(specLine)
    .join('')
    .replace(/ \\\n$/, '\n')}    ;;\n`;
}

function specLine(spec: string): string {
  return `    '${spec}' \\\n`;
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
