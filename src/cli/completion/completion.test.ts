import { Argument, Command, Option } from 'commander';
import { expect, test } from 'vitest';
import { formatBashCompletion } from './bash-completion.ts';
import { readCompletionTree } from './completion-tree.ts';
import { formatFishCompletion } from './fish-completion.ts';
import { formatZshCompletion } from './zsh-completion.ts';

const program = new Command('tool');
program
  .command('do')
  .description("what's [this]: `it`")
  .addOption(new Option('-o, --output <format>', 'form').choices(['a', 'b']))
  .option('--in <file>', 'input', (value, all: string[]) => [...all, value], [])
  .option('--there <dir>', 'place')
  .addOption(new Option('--secret', 'not shown').hideHelp())
  .addArgument(new Argument('<thing...>', 'things'));

test('the tree is what the program itself says', () => {
  const command = readCompletionTree(program).commands[0];
  expect(command?.options.map(({ flags, value }) => [flags.at(-1), value])).toEqual([
    ['--output', { name: 'format', repeats: false, kind: { words: ['a', 'b'] } }],
    ['--in', { name: 'file', repeats: true, kind: 'file' }],
    ['--there', { name: 'dir', repeats: false, kind: 'folder' }],
    ['--help', null],
  ]);
  expect(command?.arguments).toEqual([{ name: 'thing', repeats: true, kind: 'text' }]);
});

test('descriptions are quoted as each shell wants it', () => {
  const tree = readCompletionTree(program);
  expect(formatBashCompletion(tree)).not.toContain("what's");
  expect(formatZshCompletion(tree)).toContain(String.raw`do\:what\'\''s\ \[this\]\:\ \`it\``);
  expect(formatFishCompletion(tree)).toContain(String.raw`-d 'what\'s [this]: ` + "`it`'");
});
