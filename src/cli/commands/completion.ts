import type { Command } from 'commander';
import { formatBashCompletion } from '../completion/bash-completion.ts';
import { readCompletionTree, type CompletionTree } from '../completion/completion-tree.ts';
import { formatFishCompletion } from '../completion/fish-completion.ts';
import type { Shell } from '../completion/shells.ts';
import { formatZshCompletion } from '../completion/zsh-completion.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';

const FORMATS: Readonly<Record<Shell, (tree: CompletionTree) => string>> = {
  bash: formatBashCompletion,
  zsh: formatZshCompletion,
  fish: formatFishCompletion,
};

/** `image-cleaner completion SHELL`: the script that completes this very program's commands and options. */
export function completion(context: Pick<CliContext, 'stdout'>, program: Command, shell: Shell): ExitCode {
  context.stdout.write(FORMATS[shell](readCompletionTree(program)));
  return EXIT.done;
}
