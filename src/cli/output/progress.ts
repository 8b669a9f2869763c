import type { EngineEvent, OnEvent } from '../../engine/events.ts';
import { formatReason } from '../../core/format-reason.ts';
import type { CliContext } from '../context.ts';
import { countOf } from './count-of.ts';
import { FIGURES } from './describe-decision.ts';
import { formatOutcome } from './format-outcome.ts';
import { imageName } from './image-name.ts';
import { createLines, type Lines } from './lines.ts';

/** Progress of a run on standard error: on a terminal one line that is written over, elsewhere plain lines. */
export interface Progress {
  readonly onEvent: OnEvent;
  /** A line that stays. */
  readonly say: (line: string) => void;
  /** Takes the passing line off the terminal. */
  readonly clear: () => void;
}

export function createProgress(context: Pick<CliContext, 'stderr' | 'env'>): Progress {
  const lines = createLines(context);
  return { say: lines.say, clear: lines.clear, onEvent: (event) => report(event, lines) };
}

function report(event: EngineEvent, { say, pass }: Pick<Lines, 'say' | 'pass'>): void {
  switch (event.kind) {
    case 'inventory-taken': {
      const { images, containers, runtime } = event.inventory;
      say(`${runtime.name} ${runtime.version}: ${countOf(images.length, 'image')}, ${countOf(containers.length, 'container')}`);
      return;
    }
    case 'verdicts-known': {
      const { reused, evaluated } = event;
      const again =
        evaluated === 0 ? '' : `, ${String(evaluated)} of them judged again by the database of ${event.scanner.databaseUpdatedAt ?? 'now'}`;
      say(`Verdicts known from earlier scans: ${String(reused + evaluated)}${again}`);
      return;
    }
    case 'scan-started': {
      const { name, version, databaseUpdatedAt } = event.scanner;
      const database = databaseUpdatedAt === null ? '' : `, database of ${databaseUpdatedAt}`;
      say(`Scanning ${countOf(event.images, 'image')} with ${name} ${version}${database}, ${String(event.concurrency)} at once`);
      return;
    }
    case 'image-scanned':
      pass(`  scanned ${String(event.done)}/${String(event.total)} ${imageName(event.image)}`);
      if (event.result.kind === 'unscanned') say(`  no verdict on ${imageName(event.image)}: ${event.result.message}`);
      if (event.done === event.total) say(`  scanned ${String(event.done)}/${String(event.total)}`);
      return;
    case 'removal-started':
      say(`Removing ${countOf(event.images, 'image')}`);
      return;
    case 'image-removed': {
      // With the reason, so that a log tells why an image went even if the report after the run is never written.
      const { decision, outcome } = event.removal;
      const why = formatReason(decision, FIGURES);
      say(`  ${String(event.done)}/${String(event.total)} ${formatOutcome(outcome)}: ${imageName(decision.image)} (${why})`);
    }
  }
}
