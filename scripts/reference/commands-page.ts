import type { Argument, Command, Help, Option } from 'commander';
import { markdownTable } from './field-table.ts';

/** The reference page of the command line, in Markdown, as the program's own help says it. */
export function commandsPage(program: Command): string {
  const help = program.createHelp();
  const sections = leavesOf(help, program).map((command) => section(help, command));
  return `# Commands

What \`${program.name()} COMMAND --help\` says of each command. Exit codes are in the [README](../../README.md#exit-codes).

${sections.join('\n')}`;
}

/** The commands that do something; in the order of the help. */
function leavesOf(help: Help, parent: Command): Command[] {
  return help
    .visibleCommands(parent)
    .filter((command) => command.name() !== 'help')
    .flatMap((command) => (command.commands.length === 0 ? [command] : leavesOf(help, command)));
}

function section(help: Help, command: Command): string {
  const rows = [
    ...help.visibleArguments(command).map((argument) => argumentRow(help, argument)),
    ...help
      .visibleOptions(command)
      .filter(({ long }) => long !== '--help')
      .map((option) => optionRow(help, option)),
  ];
  const table = rows.length === 0 ? '' : `\n${markdownTable(['', 'meaning'], rows)}\n`;
  return `## ${help.commandUsage(command).replace(/ \[options\].*$/, '')}

    ${help.commandUsage(command)}

${sentence(help.commandDescription(command))}
${table}`;
}

function argumentRow(help: Help, argument: Argument): string[] {
  return [
    `\`${argument.required ? `<${help.argumentTerm(argument)}>` : `[${help.argumentTerm(argument)}]`}\``,
    help.argumentDescription(argument),
  ];
}

function optionRow(help: Help, option: Option): string[] {
  return [`\`${help.optionTerm(option)}\``, help.optionDescription(option)];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
