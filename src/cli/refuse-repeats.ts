import type { Command } from 'commander';
import { badUsage } from './cli-error.ts';
import { collect, collectFlags } from './option-values.ts';

/**
 * Makes a command throw when an option that takes one value is given two: the last would win without a word, and of `--ignore-status fixed
 * --ignore-status will_not_fix` one would be lost.
 */
export function refuseRepeats(command: Command): void {
  for (const option of command.options) {
    if (!option.required || option.parseArg === collect || option.parseArg === collectFlags) continue;
    const values = new Set<string>();
    command.on(`option:${option.name()}`, (value: string) => {
      values.add(value);
      if (values.size > 1) throw badUsage(`${option.flags} is given twice: ${[...values].join(' and ')}.`, 'Leave one of them out.');
    });
  }
}
