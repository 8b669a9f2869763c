import type { EngineEvent, OnEvent } from '../../engine/events.ts';
import type { OutputStream } from '../context.ts';
import { formatOutcome } from './format-outcome.ts';
import { imageName, printable } from './image-name.ts';

/** Progress of a run on standard error: on a terminal one line that is written over, elsewhere plain lines. */
export interface Progress {
  readonly onEvent: OnEvent;
  /** A line that stays. */
  say(line: string): void;
  /** Takes the passing line off the terminal. */
  clear(): void;
}

export function createProgress(stream: OutputStream): Progress {
  const live = stream.isTTY === true;
  const clear = (): void => {
    if (live) stream.write('\r\u001b[K');
  };
  const say = (line: string): void => {
    clear();
    stream.write(`${printable(line)}\n`);
  };
  const pass = (line: string): void => {
    if (!live) return;
    clear();
    stream.write(printable(line).slice(0, Math.max((stream.columns ?? 80) - 1, 1)));
  };
  return { say, clear, onEvent: (event) => report(event, { say, pass }) };
}

interface Lines {
  readonly say: (line: string) => void;
  /** A line that only a terminal shows, until the next one. */
  readonly pass: (line: string) => void;
}

function report(event: EngineEvent, { say, pass }: Lines): void {
  switch (event.kind) {
    case 'inventory-taken': {
      const { images, containers, runtime } = event.inventory;
      say(`${runtime.name} ${runtime.version}: ${String(images.length)} images, ${String(containers.length)} containers`);
      return;
    }
    case 'scan-started': {
      const { name, version, databaseUpdatedAt } = event.scanner;
      const database = databaseUpdatedAt === null ? '' : `, database of ${databaseUpdatedAt}`;
      say(`Scanning ${String(event.images)} images with ${name} ${version}${database}, ${String(event.concurrency)} at once`);
      return;
    }
    case 'image-scanned':
      pass(`  scanned ${String(event.done)}/${String(event.total)} ${imageName(event.image)}`);
      if (event.result.kind === 'unscanned') say(`  no verdict on ${imageName(event.image)}: ${event.result.message}`);
      if (event.done === event.total) say(`  scanned ${String(event.done)}/${String(event.total)}`);
      return;
    case 'removal-started':
      say(`Removing ${String(event.images)} images`);
      return;
    case 'image-removed':
      say(
        `  ${String(event.done)}/${String(event.total)} ${formatOutcome(event.removal.outcome)}: ${imageName(event.removal.decision.image)}`,
      );
  }
}
