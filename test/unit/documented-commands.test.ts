import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { programToDescribe } from '../../scripts/reference/program-to-describe.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCUMENTS = ['README.md', 'deploy/chart/image-cleaner/README.md', ...pagesIn('docs')];

function pagesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.startsWith('adr/') && name !== 'reference/commands.md')
    .map((name) => join(folder, name));
}

/** In blocks and within text: `image-cleaner clean --dry-run`. */
function commandsIn(markdown: string): string[] {
  const inBlocks = [...markdown.matchAll(/^ {4}(?:eval "|\$ )?(?:kubectl )?(image-cleaner .+?)(?: +#.*)?$/gm)];
  const inText = [...markdown.matchAll(/`(?:kubectl )?(image-cleaner [^`]+)`/g)];
  return [...inBlocks, ...inText].map(([, command]) => (command ?? '').replaceAll('\n', ' '));
}

/** As a shell splits them, with what a reader leaves out or puts in its place left out. */
function wordsOf(command: string): string[] {
  const plain = command.replaceAll(/\[[^\]]*\]|…|\$\w+"?|[|>].*$/g, ' ');
  return [...plain.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, bare]) => single ?? double ?? bare ?? '').slice(1);
}

/** The command that the words name, and the words behind it. */
function findCommand(program: Command, words: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
  const named = program.commands.find((command) => command.name() === words[0]);
  return named === undefined ? { command: program, rest: words } : findCommand(named, words.slice(1));
}

const commandsOf = (document: string): string[] => [...new Set(commandsIn(readFileSync(join(ROOT, document), 'utf8')))];

describe('the commands that are documented', () => {
  const documented = DOCUMENTS.map((document) => ({ document, commands: commandsOf(document) })).filter(
    ({ commands }) => commands.length > 0,
  );

  test('are found', () => {
    expect(documented.map(({ document }) => document)).toEqual(expect.arrayContaining(['README.md', 'docs/cluster.md', 'docs/systemd.md']));
  });

  test.each(documented)('in $document are those of the program, with options and arguments that they take', ({ commands }) => {
    for (const text of commands) {
      const { command, rest } = findCommand(programToDescribe(), wordsOf(text));
      const { operands, unknown } = command.parseOptions([...rest]);
      expect(unknown, text).toEqual([]);
      const taken = command.registeredArguments;
      if (taken.at(-1)?.variadic !== true) expect(operands.length, `${text}: ${operands.join(' ')}`).toBeLessThanOrEqual(taken.length);
    }
  });
});
