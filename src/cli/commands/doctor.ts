import { styleText } from 'node:util';
import type { CliContext } from '../context.ts';
import type { Check, CheckStatus } from '../doctor/check.ts';
import { makeChecks } from '../doctor/make-checks.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { formatTable } from '../output/format-table.ts';
import { printable } from '../output/image-name.ts';
import { screenOf, type Screen } from '../output/terminal.ts';
import { writeDocument } from '../output/write-document.ts';
import type { DoctorOptions } from '../parsed-options.ts';

/** `image-cleaner doctor`: whether this machine has what runs need; changes nothing. */
export async function doctor(context: CliContext, options: DoctorOptions): Promise<ExitCode> {
  const checks = await makeChecks(context, options);
  const isWell = checks.every(({ status }) => status !== 'problem');
  await writeDocument(context.stdout, options.output, { ok: isWell, version: context.version, checks }, () =>
    formatChecks(checks, screenOf(context, context.stdout)),
  );
  return isWell ? EXIT.done : EXIT.failed;
}

const COLORS = { ok: 'green', warning: 'yellow', problem: 'red', skipped: 'gray' } as const satisfies Record<CheckStatus, string>;

/** A line for each check: what was found, and what to do. */
function formatChecks(checks: readonly Check[], { color, columns }: Screen): string {
  const rows = checks.map(({ id, status, found, advice }) => [
    color ? styleText(COLORS[status], status, { validateStream: false }) : status,
    id,
    printable(advice === null ? found : `${found.replace(/\.$/, '')}. ${advice}`),
  ]);
  return formatTable(['STATUS', 'CHECK', 'FOUND'], rows, columns);
}
