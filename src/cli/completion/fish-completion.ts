import type { CompletedCommand, CompletedOption, CompletedValue, CompletionTree } from './completion-tree.ts';

/** The completion for fish 3 and later. */
export function formatFishCompletion({ program, options, commands }: CompletionTree): string {
  const complete = `complete -c ${program}`;
  const first = `${complete} -n __fish_use_subcommand`;
  return [
    `# fish completion of ${program}; made by: ${program} completion fish`,
    `${complete} -f`,
    ...options.map((option) => `${first} ${optionWords(option)}`),
    ...commands.flatMap((command) => [
      `${first} -a ${command.name} -d ${quoted(command.description)}`,
      ...commandLines(command).map((line) => `${complete} -n '__fish_seen_subcommand_from ${command.name}' ${line}`),
    ]),
    '',
  ].join('\n');
}

function commandLines({ options, arguments: [argument] }: CompletedCommand): string[] {
  const ofArgument = argument === undefined || argument.kind === 'text' ? [] : [valueWords(argument)];
  return [...options.map(optionWords), ...ofArgument];
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
