import { styleText } from 'node:util';
import type { Decision } from '../../api/decision.ts';
import { formatReason } from '../../core/format-reason.ts';
import type { CarriedOutRemoval } from '../../engine/clean-node.ts';
import { formatBytes } from '../../platform/quantity.ts';
import { FIGURES } from './describe-decision.ts';
import { formatOutcome, OUTCOME_WORDS } from './format-outcome.ts';
import { formatTable } from './format-table.ts';
import { imageName, printable, shortId } from './image-name.ts';
import type { Screen } from './terminal.ts';

/** The decisions as a table: what goes first, then what stays, each by name. */
export function formatDecisions(decisions: readonly Decision[], { color, columns }: Screen): string {
  const rows = decisions
    .toSorted(goesFirst)
    .map((decision) => [
      paint(decision.outcome, decision.outcome === 'remove', color),
      ...describeImage(decision),
      decision.outcome === 'remove' ? formatBytes(decision.estimatedBytes) : '-',
      printable(formatReason(decision, FIGURES)),
    ]);
  return formatTable(['DECISION', 'IMAGE', 'ID', 'SIZE', 'FREES', 'REASON'], rows, columns);
}

/** The same after the run: what came of each decision, and what it freed. */
export function formatOutcomes(decisions: readonly Decision[], removals: readonly CarriedOutRemoval[], { color, columns }: Screen): string {
  const removalsById = new Map(removals.map((removal) => [removal.decision.image.id, removal]));
  const rows = decisions.toSorted(goesFirst).map((decision) => {
    const removal = removalsById.get(decision.image.id);
    const reason = formatReason(decision, FIGURES);
    if (removal === undefined) return [paint('kept', false, color), ...describeImage(decision), '-', printable(reason)];
    const { outcome, reclaimedBytes } = removal;
    const gone = outcome.kind === 'removed';
    return [
      paint(OUTCOME_WORDS[outcome.kind], gone, color),
      ...describeImage(decision),
      gone ? formatBytes(reclaimedBytes) : '-',
      printable(gone ? reason : `${reason}; ${formatOutcome(outcome)}`),
    ];
  });
  return formatTable(['OUTCOME', 'IMAGE', 'ID', 'SIZE', 'FREED', 'REASON'], rows, columns);
}

function describeImage({ image }: Decision): string[] {
  return [imageName(image), shortId(image.id), formatBytes(image.sizeBytes)];
}

function goesFirst(a: Decision, b: Decision): number {
  if (a.outcome !== b.outcome) return a.outcome === 'remove' ? -1 : 1;
  return imageName(a.image).localeCompare(imageName(b.image), 'en');
}

function paint(word: string, goes: boolean, color: boolean): string {
  return color ? styleText(goes ? 'red' : 'green', word, { validateStream: false }) : word;
}
