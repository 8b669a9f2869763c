import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../../lab/containerd.ts';
import { demoDatabase } from '../../../lab/demo-images.ts';
import { buildImage, buildLayer, importImages, listImageIds, type Image } from '../../../lab/images.ts';
import { lacksRealPart } from '../../../lab/real-parts.ts';
import { alpineFiles } from '../../../lab/sample-packages.ts';
import { ensureTrivy } from '../../../lab/tools.ts';
import { writeTrivyDatabase } from '../../../lab/trivy-database.ts';
import { waitUntil } from '../../../lab/wait-until.ts';
import { parseClean, runCli, startCli, type CliResult, type RunningCli } from '../run-cli.ts';
import { fastClock } from './fake-clock.ts';
import { expectOneMessage } from './one-message.ts';
import { RuntimeGate, type HeldCall } from './runtime-gate.ts';

/**
 * A runtime that stops, is restarted, or hangs in the middle of a run. What is gone at the end is what is reported as removed, by the
 * runtime's own list.
 */

/** Deadlines of two minutes in twelve seconds: a busy machine may need some of them for the calls before. */
const TIMES_FASTER = 10;

describe.skipIf(lacksRealPart('containerd-debian') || lacksRealPart('fake-clock'))('the runtime in the middle of', () => {
  let containerd: PrivateContainerd;
  let gate: RuntimeGate;
  let fast: Record<string, string>;
  let all: string[];
  const layer = buildLayer({ files: alpineFiles('3.22.0', [{ name: 'openssl', version: '3.0.0-r0' }]) });
  const images = Array.from({ length: 12 }, (_value, at) =>
    buildImage({ refs: [`docker.io/library/many:${String(at)}`], layers: [layer], config: { labels: { at: String(at) } } }),
  );
  beforeAll(async () => {
    containerd = await startContainerd({ version: 'debian' });
    gate = await RuntimeGate.open(containerd.socket);
    fast = await fastClock(TIMES_FASTER);
  });
  beforeEach(async () => {
    await importImages(containerd, images);
    all = await listImageIds(containerd);
  });
  afterAll(async () => {
    await gate[Symbol.asyncDispose]();
    await containerd.stop();
  });
  const args = (...more: string[]): string[] => ['clean', '-o', 'json', '--runtime-endpoint', gate.socketPath, ...more];
  const unscanned = (...more: string[]): string[] => args('--scanner', 'none', ...more);
  /** A run that ends before that call says why, rather than that nothing came. */
  const heldOf = (running: RunningCli, held: Promise<HeldCall>): Promise<HeldCall> =>
    Promise.race([
      held,
      running.result.then(({ code, stderr }): never => {
        throw new Error(`the run ended before the call that was to be held: ${String(code)}, ${stderr}`);
      }),
    ]);

  describe('listing', () => {
    const listing = (env: Record<string, string> = {}): RunningCli => startCli(unscanned('--dry-run'), env);

    test('restarted at any call: the list is whole, or there is none', async () => {
      gate.calls = 0;
      const undisturbed = parseClean(await runCli(unscanned('--dry-run')));
      const calls = gate.calls;
      expect(calls).toBeGreaterThan(6);
      // Every third, for time.
      for (let number = 1; number <= calls; number += 3) {
        const held = gate.holdCall(number);
        const running = listing();
        const call = await heldOf(running, held);
        await containerd.restart('SIGKILL');
        call.release();
        const result = await running.result;
        // At the first contact a runtime that is away is no reason to wait.
        if (result.code === 1) expectOneMessage(result, { code: 1, message: /error: .+ at \S+runtime\.sock / });
        else expect(parseClean(result).decisions).toEqual(undisturbed.decisions);
        expect([number, result.code]).toEqual([number, number === 1 ? 1 : 0]);
      }
      expect(await listImageIds(containerd)).toEqual(all);
    });

    test('stopped for good: told, after half a minute of trying', async () => {
      const held = gate.holdCall(4);
      const running = listing(fast);
      const call = await heldOf(running, held);
      await containerd.kill();
      call.release();
      try {
        expectOneMessage(await running.result, {
          code: 1,
          message: /the container runtime at \S+ cannot be reached.*\n.+systemctl status/,
        });
      } finally {
        await containerd.restart();
      }
      expect(await listImageIds(containerd)).toEqual(all);
    });

    test('hung: told, after the two minutes that an answer may take', async () => {
      const held = gate.holdCall(4);
      const running = listing(fast);
      const call = await heldOf(running, held);
      containerd.pause();
      call.release();
      try {
        expectOneMessage(await running.result, {
          code: 1,
          message: /the container runtime at \S+ did not answer in time\n.+hang: see its log/,
        });
      } finally {
        containerd.resume();
      }
      expect(await listImageIds(containerd)).toEqual(all);
    });

    test('hung, and interrupted: ends at once, with 130', async () => {
      const held = gate.holdCall(4);
      const running = listing();
      const call = await heldOf(running, held);
      containerd.pause();
      call.release();
      try {
        running.child.kill('SIGINT');
        const result = await running.result;
        expect(result).toMatchObject({ code: 130, stdout: '' });
        expect(result.stderr).toContain('Interrupted: nothing was removed.');
      } finally {
        containerd.resume();
      }
    });
  });

  describe('removing', () => {
    const ends = async (running: RunningCli): Promise<{ result: CliResult; outcomes: Record<string, number> }> => {
      const result = await running.result;
      const outcomes: Record<string, number> = {};
      for (const { outcome } of parseClean(result).removals ?? []) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      return { result, outcomes };
    };
    const removing = (env: Record<string, string> = {}): RunningCli => startCli(unscanned('--yes', '--concurrency', '1'), env);
    /** What is reported as removed is gone, and nothing else is. */
    const expectAsReported = async (result: CliResult): Promise<void> => {
      const removed = new Set(
        (parseClean(result).removals ?? []).filter(({ outcome }) => outcome === 'removed').map(({ imageId }) => imageId),
      );
      expect(await listImageIds(containerd)).toEqual(all.filter((id) => !removed.has(id)));
    };

    test.each(['SIGTERM', 'SIGKILL'] as const)('restarted (%s): all are removed', async (end) => {
      const running = removing();
      await running.seen('3/12 removed');
      await containerd.restart(end);
      const { result, outcomes } = await ends(running);
      expect({ code: result.code, outcomes }).toEqual({ code: 0, outcomes: { removed: 12 } });
      expect(await listImageIds(containerd)).toEqual([]);
    });

    describe('of one image', () => {
      const one = images[0] as Image;
      const removingOne = (): RunningCli => startCli(args('--image', one.id, '--yes', '--no-history'));
      /** The last: RemoveImage, then whether the image is gone, then what the filesystem has. */
      const CALLS_AFTER_REMOVAL = 2;
      let calls: number;
      beforeEach(async () => {
        gate.calls = 0;
        expect((await removingOne().result).code).toBe(0);
        calls = gate.calls;
        await importImages(containerd, [one]);
      });

      test('restarted at any call: it is removed, and reported so', async () => {
        // From the first guard on: what is before is the same as in a listing.
        for (let number = calls - 5; number <= calls; number += 1) {
          await importImages(containerd, [one]);
          const held = gate.holdCall(number);
          const running = removingOne();
          const call = await heldOf(running, held);
          await containerd.restart('SIGKILL');
          call.release();
          const { result, outcomes } = await ends(running);
          expect([number, result.code, outcomes]).toEqual([number, 0, { removed: 1 }]);
          expect(await listImageIds(containerd)).not.toContain(one.id);
        }
      });

      test('stopped after the removal, before its answer: it is reported as removed', async () => {
        const held = gate.holdCall(calls - CALLS_AFTER_REMOVAL);
        const running = removingOne();
        const call = await heldOf(running, held);
        expect(await listImageIds(containerd)).toContain(one.id);
        call.releaseUnanswered();
        await waitUntil('the image is gone', async () => !(await listImageIds(containerd)).includes(one.id));
        call.cut();
        const { result, outcomes } = await ends(running);
        expect({ code: result.code, outcomes }).toEqual({ code: 0, outcomes: { removed: 1 } });
      });
    });

    test('stopped for good: no other is begun, and what was removed is reported', async () => {
      const running = removing(fast);
      await running.seen('3/12 removed');
      await containerd.kill();
      const { result, outcomes } = await ends(running);
      await containerd.restart();
      expect(result.code).toBe(1);
      expect(outcomes).toMatchObject({ failed: 1, removed: expect.any(Number) as number, 'not-attempted': expect.any(Number) as number });
      expect(result.stderr).toMatch(/failed: .+cannot be reached/);
      await expectAsReported(result);
    });

    test('hung: no other is begun, and what was removed is reported', async () => {
      const running = removing(fast);
      await running.seen('3/12 removed');
      containerd.pause();
      const { result, outcomes } = await ends(running).finally(() => containerd.resume());
      expect(result.code).toBe(1);
      expect(outcomes).toMatchObject({ failed: 1, removed: expect.any(Number) as number, 'not-attempted': expect.any(Number) as number });
      expect(result.stderr).toMatch(/failed: not done within 2m/);
      const { removals = [] } = parseClean(result);
      const left = await listImageIds(containerd);
      for (const { imageId, outcome } of removals) {
        if (outcome === 'removed') expect(left).not.toContain(imageId);
        // Of the one in hand, the runtime may have carried it out when it went on.
        if (outcome === 'not-attempted') expect(left).toContain(imageId);
      }
    });

    test('hung, and interrupted twice: ends at once, with 130', async () => {
      const running = removing();
      await running.seen('3/12 removed');
      containerd.pause();
      try {
        running.child.kill('SIGINT');
        await running.seen('once more to stop at once');
        running.child.kill('SIGINT');
        expect((await running.result).code).toBe(130);
      } finally {
        containerd.resume();
      }
    });
  });

  describe.skipIf(lacksRealPart('trivy'))('scanning', () => {
    let folder: string;
    let scanning: string[];
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'image-cleaner-middle-'));
      await writeTrivyDatabase(folder, demoDatabase());
      const trivy = await ensureTrivy();
      if (trivy.kind === 'missing') throw new Error(trivy.reason);
      // The real Trivy, which waits before each image until it may go on.
      const held = join(folder, 'held-trivy');
      const wait = `case "$1" in image) touch ${folder}/scanning; while [ ! -e ${folder}/go ]; do sleep 0.02; done ;; esac`;
      await writeFile(held, `#!/bin/sh\n${wait}\nexec ${trivy.path} "$@"\n`);
      await chmod(held, 0o755);
      scanning = ['--trivy', held, '--trivy-cache-dir', folder, '--skip-db-update', '--concurrency', '1'];
    });
    afterEach(() => Promise.all(['scanning', 'go'].map((name) => rm(join(folder, name), { force: true }))));
    afterAll(() => rm(folder, { recursive: true }));
    const inTheMiddle = async (...more: string[]): Promise<RunningCli> => {
      const running = startCli(args(...scanning, '--yes', ...more));
      await waitUntil('a scan is under way', () => Promise.resolve(existsSync(join(folder, 'scanning'))));
      return running;
    };
    const goOn = (): Promise<void> => writeFile(join(folder, 'go'), '');

    test('restarted: what is vulnerable goes, as if nothing had happened', async () => {
      const running = await inTheMiddle();
      await containerd.restart('SIGKILL');
      await goOn();
      const result = await running.result;
      expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 0, stderr: expect.stringContaining('12/12 removed') as string });
      expect(await listImageIds(containerd)).toEqual([]);
    });

    test('stopped for good: there are no verdicts, and nothing is removed', async () => {
      const running = await inTheMiddle();
      await containerd.kill();
      await goOn();
      const result = await running.result;
      await containerd.restart();
      expect(result).toMatchObject({ code: 3, stdout: '' });
      expect(result.stderr).toMatch(/error: .+\n(.+\n)*Nothing was removed\./);
      expect(await listImageIds(containerd)).toEqual(all);
    });

    test('hung: an image without a verdict stays, and the run says that it failed', async () => {
      const running = await inTheMiddle('--timeout-per-image', '2s', '--timeout-total', '4s');
      containerd.pause();
      await goOn();
      const result = await running.result.finally(() => containerd.resume());
      expect(result.code).toBe(1);
      const { decisions } = parseClean(result);
      expect(new Set(decisions.map(({ reason }) => `${reason.code} ${String(reason['why'])}`))).toEqual(
        new Set(['unscanned timeout', 'unscanned total-timeout']),
      );
      expect(await listImageIds(containerd)).toEqual(all);
    });
  });
});
