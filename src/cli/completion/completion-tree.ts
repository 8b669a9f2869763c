import type { Argument, Command, Help, Option } from 'commander';

/** What shells need to know of the program, read off its own commands. */
export interface CompletionTree {
  readonly program: string;
  readonly options: readonly CompletedOption[];
  readonly commands: readonly CompletedCommand[];
}

export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
  readonly arguments: readonly CompletedValue[];
  /** Of a group, such as `cluster`; it then takes no other argument. */
  readonly commands: readonly CompletedCommand[];
}

export interface CompletedOption {
  /** `-o` and `--output`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** null: it takes none. */
  readonly value: CompletedValue | null;
}

export interface CompletedValue {
  /** `format`. */
  readonly name: string;
  /** May be given more than once. */
  readonly repeats: boolean;
  readonly kind: 'file' | 'folder' | 'text' | { readonly words: readonly string[] };
}

/** What the placeholders of flags and arguments stand for, as they are written in the help: `--exclude-file <file>`. */
const KINDS: Readonly<Record<string, 'file' | 'folder'>> = { file: 'file', path: 'file', dir: 'folder' };

export function readCompletionTree(program: Command): CompletionTree {
  const help = program.createHelp();
  return { program: program.name(), options: help.visibleOptions(program).map(readOption), commands: readCommands(help, program) };
}

function readCommands(help: Help, parent: Command): CompletedCommand[] {
  const commands = help.visibleCommands(parent);
  const names = commands.map((command) => command.name());
  return commands.map((command) => ({
    name: command.name(),
    description: command.summary() === '' ? command.description() : command.summary(),
    options: help.visibleOptions(command).map(readOption),
    arguments: command.registeredArguments.map((argument) => readArgument(argument, names)),
    commands: command.commands.length === 0 ? [] : readCommands(help, command),
  }));
}

function readOption(option: Option): CompletedOption {
  const name = /[<[]([\w-]+)/.exec(option.flags)?.[1] ?? null;
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined),
    description: option.description,
    // A list in its default means that each use adds to it.
    value: name === null ? null : readValue(name, Array.isArray(option.defaultValue), option.argChoices),
  };
}

function readArgument(argument: Argument, commands: readonly string[]): CompletedValue {
  return readValue(argument.name(), argument.variadic, argument.name() === 'command' ? commands : argument.argChoices);
}

function readValue(name: string, repeats: boolean, words: readonly string[] | undefined): CompletedValue {
  return { name, repeats, kind: words === undefined ? (KINDS[name] ?? 'text') : { words } };
}
