import type { CompletedCommand, CompletedOption, CompletedValue, CompletionTree } from './completion-tree.ts';

/** The completion for fish 3 and later. */
export function formatFishCompletion({ program, options, commands }: CompletionTree): string {
  const complete = `complete -c ${program}`;
  const first = `${complete} -n __fish_use_subcommand`;
  const groups = commands.filter((command) => command.commands.length > 0).map((command) => command.name);
  // A command of a group may be called as one of the program's own.
  const notInGroup = groups.length === 0 ? '' : `; and not __fish_seen_subcommand_from ${groups.join(' ')}`;
  return [
    `# fish completion of ${program}; made by: ${program} completion fish`,
    `${complete} -f`,
    ...options.map((option) => `${first} ${optionWords(option)}`),
    ...commands.flatMap((command) => [
      `${first} -a ${command.name} -d ${quoted(command.description)}`,
      ...commandLines(command, groups.includes(command.name) ? '' : notInGroup).map((line) => `${complete} ${line}`),
    ]),
    '',
  ].join('\n');
}

/** `condition`: what has to hold beside that the command was given. */
function commandLines({ name, options, arguments: [argument], commands }: CompletedCommand, condition: string): string[] {
  const given = `__fish_seen_subcommand_from ${name}${condition}`;
  if (commands.length > 0) {
    const none = `-n '${given}; and not __fish_seen_subcommand_from ${commands.map((command) => command.name).join(' ')}'`;
    return [
      ...options.map((option) => `${none} ${optionWords(option)}`),
      ...commands.flatMap((command) => [
        `${none} -a ${command.name} -d ${quoted(command.description)}`,
        ...commandLines(command, `; and ${given}`),
      ]),
    ];
  }
  const ofArgument = argument === undefined || argument.kind === 'text' ? [] : [valueWords(argument)];
  return [...options.map(optionWords), ...ofArgument].map((words) => `-n '${given}' ${words}`);
}

function optionWords({ flags, description, value }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const required = value === null ? [] : [typeof value.kind === 'object' || value.kind === 'text' ? '-x' : '-r', valueWords(value)];
  return [...names, ...required, `-d ${quoted(description)}`].filter((word) => word !== '').join(' ');
}

function valueWords({ kind }: CompletedValue): string {
  if (typeof kind === 'object') return `-a ${quoted(kind.words.join(' '))}`;
  return { file: '-F', folder: "-a '(__fish_complete_directories)'", text: '' }[kind];
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}
