import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { buildImage, importImages, listImageIds, type Image } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { openTestHistory } from '../fakes/history-in-test.ts';
import { newHistory, runCli, startCli } from './run-cli.ts';

/** `clean` killed at every kind of moment: the history has to agree with what the runtime itself has afterwards. */

const KILLS = 100;
const IMAGES_PER_RUN = 6;
/** Fixed, so that a failure can be repeated; each kill is somewhere else. */
const SEED = 20_261_121;

const runSchema = z.object({
  id: z.number(),
  state: z.enum(['running', 'completed', 'failed', 'refused', 'interrupted', 'killed']),
  decisions: z.array(z.object({ imageId: z.string(), removal: z.object({ state: z.string() }).nullable() })),
});
type Run = z.infer<typeof runSchema>;

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a run says on standard error before the moment; a delay follows. */
const MOMENTS = [
  '',
  'images, 0 containers',
  'Removing',
  ...Array.from({ length: IMAGES_PER_RUN }, (_value, at) => `  ${String(at + 1)}/${String(IMAGES_PER_RUN)} `),
];

describe.skipIf(lacksRealPart('containerd-v2'))('runs that are killed', () => {
  let containerd: PrivateContainerd;
  const history = newHistory();
  const options = (): string[] => ['--runtime-endpoint', containerd.endpoint, '--history', history];
  const imagesOf = (round: number): Image[] =>
    Array.from({ length: IMAGES_PER_RUN }, (_value, at) => {
      const name = `docker.io/library/round-${String(round)}-${String(at)}:1`;
      return buildImage({ refs: [name], layers: [{ files: { 'app/content': name } }] });
    });
  const shownRun = async (id: number): Promise<Run> => {
    const { code, stdout, stderr } = await runCli(['history', String(id), '--history', history, '-o', 'json']);
    expect(code, stderr).toBe(0);
    return runSchema.parse(JSON.parse(stdout));
  };
  /** All at once from the file: a process for each would take longer than its kill. */
  const readRuns = async (ids: readonly number[]): Promise<Run[]> => {
    const { history: opened } = await openTestHistory({ path: history, readOnly: true });
    const runs: Run[] = [];
    for (const id of ids) runs.push(runSchema.parse({ ...(await opened.readRun(id)), decisions: await opened.readDecisions(id) }));
    return runs;
  };

  beforeAll(async () => {
    containerd = await startContainerd({ version: 'v2' });
  });
  afterAll(async () => {
    await containerd.stop();
  });

  test(`after ${String(KILLS)} kills at random moments the history agrees with the runtime, and the next run goes on`, async () => {
    const random = randomNumbers(SEED);
    const gone: { readonly before: ReadonlySet<string>; readonly after: ReadonlySet<string> }[] = [];
    await importImages(containerd, imagesOf(0));
    for (let round = 0; round < KILLS; round += 1) {
      const before = new Set(await listImageIds(containerd));
      const cli = startCli(['clean', '--yes', '--scanner', 'none', '--concurrency', '2', ...options()]);
      const moment = MOMENTS[Math.floor(random() * MOMENTS.length)] ?? '';
      // A run that ends before the moment, as one with less to remove, is killed at its end.
      await cli.seen(moment).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, random() * (moment === '' ? 250 : 20)));
      cli.child.kill('SIGKILL');
      await cli.result;
      const next = imagesOf(round + 1);
      await importImages(containerd, next);
      // The next round's images are its own, so what the runtime has of this round's is settled by now.
      const after = new Set(await listImageIds(containerd));
      gone.push({ before, after });
    }
    const last = await runCli(['clean', '--yes', '--scanner', 'none', ...options()]);
    expect(last.code, last.stderr).toBe(0);
    expect(await listImageIds(containerd)).toEqual([]);

    const { stdout } = await runCli(['history', '--history', history, '--limit', '1000', '-o', 'json']);
    const recorded = z
      .array(z.object({ id: z.number() }))
      .parse(JSON.parse(stdout))
      .reverse();
    const runs = await readRuns(recorded.map(({ id }) => id));
    // A run that was killed before it was on record has removed nothing; the others follow each other in the order of the rounds.
    const rounds = gone.filter(({ before, after }) => [...before].some((id) => !after.has(id)));
    const removing = runs
      .slice(0, -1)
      .map((run) => ({ run, removed: removedBy(run) }))
      .filter(({ removed }) => removed.length > 0);
    expect(removing.map(({ removed }) => removed)).toEqual(
      rounds.map(({ before, after }) => [...before].filter((id) => !after.has(id)).sort()),
    );
    expect(
      runs.flatMap(({ decisions }) => decisions).filter(({ removal }) => removal?.state === 'in-hand' || removal?.state === 'planned'),
    ).toEqual([]);

    const killed = runs.filter(({ state }) => state === 'killed');
    for (const run of [...killed.slice(-1), ...runs.slice(-1)]) expect(await shownRun(run.id)).toEqual(run);
    const inTheMiddle = killed.filter((run) => removedBy(run).length > 0 && removedBy(run).length < run.decisions.length);
    // Else the kills came too early or too late to prove anything.
    expect(killed.length).toBeGreaterThan(KILLS / 2);
    expect(inTheMiddle.length).toBeGreaterThan(KILLS / 10);
    expect(runs.at(-1)?.state).toBe('completed');
  }, 600_000);
});

function removedBy({ decisions }: Run): string[] {
  return decisions
    .filter(({ removal }) => removal?.state === 'removed')
    .map(({ imageId }) => imageId)
    .sort();
}
