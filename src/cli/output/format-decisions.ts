import { styleText } from 'node:util';
import type { Decision } from '../../api/decision.ts';
import { formatReason } from '../../core/format-reason.ts';
import { formatBytes } from '../../platform/quantity.ts';
import { FIGURES } from './describe-decision.ts';
import { formatTable } from './format-table.ts';
import { imageName, printable, shortId } from './image-name.ts';

/** The decisions as a table: what goes first, then what stays, each by name. */
export function formatDecisions(decisions: readonly Decision[], color: boolean): string {
  const rows = decisions
    .toSorted(goesFirst)
    .map((decision) => [
      paint(decision.outcome, color),
      imageName(decision.image),
      shortId(decision.image.id),
      formatBytes(decision.image.sizeBytes),
      decision.outcome === 'remove' ? formatBytes(decision.estimatedBytes) : '-',
      printable(formatReason(decision, FIGURES)),
    ]);
  return formatTable(['DECISION', 'IMAGE', 'ID', 'SIZE', 'FREES', 'REASON'], rows);
}

function goesFirst(a: Decision, b: Decision): number {
  if (a.outcome !== b.outcome) return a.outcome === 'remove' ? -1 : 1;
  return imageName(a.image).localeCompare(imageName(b.image), 'en');
}

function paint(outcome: Decision['outcome'], color: boolean): string {
  if (!color) return outcome;
  return styleText(outcome === 'remove' ? 'red' : 'green', outcome, { validateStream: false });
}
