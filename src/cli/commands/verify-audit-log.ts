import { errorMessage } from '../../platform/errors.ts';
import { verifyAuditLog as verify } from '../../store/audit-chain.ts';
import { badUsage } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { countOf } from '../output/count-of.ts';
import { writeDocument, type OutputFormat } from '../output/write-document.ts';

/** `image-cleaner verify-audit-log FILE`: whether each line of an audit log follows from the one before it. */
export async function verifyAuditLog(context: CliContext, path: string, { output }: { readonly output: OutputFormat }): Promise<ExitCode> {
  const result = await verify(path, context.signal).catch((error: unknown) => {
    context.signal.throwIfAborted();
    throw badUsage(`the audit log ${path} cannot be read: ${errorMessage(error)}`);
  });
  await writeDocument(context.stdout, output, { path, ...result }, () => {
    if (!result.ok) return `${path}: line ${String(result.line)}: ${result.why}\n`;
    const torn = result.isTorn ? '; the last one was not written to its end, and the next run closes it off' : '';
    const before = result.follows === null ? '' : `; the first one follows ${result.follows} of an earlier file`;
    const last = result.lastHash === null ? '' : `\nThe last line's hash is ${result.lastHash}.`;
    return `${path}: ${countOf(result.lines, 'line')}, each following from the one before${before}${torn}${last}\n`;
  });
  return result.ok ? EXIT.done : EXIT.failed;
}
