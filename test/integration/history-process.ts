import { readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Decision, RemoveDecision } from '../../src/api/decision.ts';
import { readBootClock } from '../../src/platform/boot-clock.ts';
import { RoomError } from '../../src/platform/errors.ts';
import type { History } from '../../src/store/history.ts';
import { openHistory } from '../../src/store/open-history.ts';
import { finding, image, report } from '../fakes/images.ts';
import { ending, ENDPOINT, plan, runStart } from '../fakes/runs.ts';

/**
 * A process of its own that uses a history, for the tests of many processes. `open PATH [read-only[:PLACE]]`: opens it, for reading with a place for
 * a copy, and tells the outcome in one line. `hold PATH`: holds the lock of runs. `clean PATH FOLDER NUMBER`: runs without end, in which each file of the folder is an image; makes
 * new ones, from that number on.
 */
const [mode, path = '', folder = '', first = '1'] = process.argv.slice(2);
const tell = (line: string): void => writeFileSync(1, `${line}\n`);
const holder = { pid: process.pid, host: hostname(), startedAt: Date.now() };
const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'files 1' };

function open(): Promise<History> {
  const copyPlaces = folder.startsWith('read-only:') ? [folder.slice('read-only:'.length)] : [];
  const reading = folder.startsWith('read-only') ? { reading: { copyPlaces } } : {};
  return openHistory({ path, now: Date.now, bootClock: readBootClock, onWarning: tell, ...reading });
}

async function clean(history: History): Promise<void> {
  await history.lockRuns(holder);
  const present = (): string[] => readdirSync(folder);
  for (const { run } of await history.unfinishedRuns()) await history.settleKilledRun(run.id, new Set(present().map(idOf)), Date.now());
  for (let number = Number(first); ;) {
    for (let made = 0; made < 6; made += 1) writeFileSync(join(folder, nameOf(number++)), '');
    const images = present().map((name) => image(Number.parseInt(name, 16)));
    await history.memoryOf(ENDPOINT).observe({ images, inUse: new Set() });
    const run = await history.beginRun(runStart({ pid: process.pid }));
    const decisions = images.map((target, at): Decision => {
      if (at % 4 === 3) return { outcome: 'keep', image: target, reason: { code: 'not-listed' } };
      const findings = Array.from({ length: 20 }, (_, cve) => finding({ id: `CVE-${target.id}-${String(cve)}` }));
      return { outcome: 'remove', image: target, reason: { code: 'vulnerable', findings }, estimatedBytes: 100 };
    });
    for (const { id } of images) {
      const analysis = { scannerName: 'trivy', scannerVersion: '0.74.0', parts: [{ key: id, data: Buffer.alloc(2_000, id) }] };
      await history.scanRecords.keep({ ...report(image(0)), imageId: id, scanner }, { ...analysis, imageId: id, recipe: Buffer.from(id) });
    }
    await run.planned(plan(...decisions));
    const removals = decisions.filter((decision) => decision.outcome === 'remove');
    const lane = async (own: readonly RemoveDecision[]): Promise<void> => {
      for (const decision of own) {
        await run.removalBegan(decision);
        unlinkSync(join(folder, decision.image.id.slice('sha256:'.length)));
        await run.removalEnded({ decision, outcome: { kind: 'removed' } });
      }
    };
    await Promise.all([0, 1].map((half) => lane(removals.filter((_, at) => at % 2 === half))));
    await run.end(ending({ reclaimedBytes: new Map(removals.map(({ image: { id } }) => [id, 100])) }));
    await history.prune({ maxAgeMs: 365 * 86_400_000, maxBytes: 2 ** 40 });
  }
}

function nameOf(number: number): string {
  return image(number).id.slice('sha256:'.length);
}

function idOf(name: string): string {
  return `sha256:${name}`;
}

try {
  tell('begun');
  const history = await open();
  if (mode === 'clean') await clean(history);
  if (mode === 'hold') {
    await history.lockRuns(holder);
    tell('locked');
    // Until it is killed.
    setInterval(() => undefined, 1_000_000);
  } else {
    tell(`runs: ${String((await history.listRuns({ limit: 10 })).length)}`);
    await history.close();
  }
} catch (error) {
  tell(error instanceof RoomError ? String(error.code) : String(error));
}
