import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { confirm } from '../output/confirm.ts';

export interface Consent {
  /** `Replace it?` */
  readonly question: string;
  /** `disable --purge removes …`: for who cannot be asked. */
  readonly what: string;
}

/** Whether `--yes` was given, or the answer on the terminal is yes. Throws `refused` where there is no terminal. */
export async function confirmOrRefuse(
  context: CliContext,
  { yes }: { readonly yes: boolean },
  { question, what }: Consent,
): Promise<boolean> {
  if (yes) return true;
  if (context.stdin.isTTY !== true || context.stderr.isTTY !== true) {
    throw new CliError({ code: 'refused', message: `${what}, and there is no terminal to ask on.`, hint: 'Confirm it with --yes.' });
  }
  const isConfirmed = await confirm(context, question);
  if (!isConfirmed) context.stderr.write('Not confirmed: nothing was changed.\n');
  return isConfirmed;
}
