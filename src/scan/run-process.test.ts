import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProcess, type ProcessEnd } from './run-process.ts';

const never = new AbortController().signal;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'run-process-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** Runs a shell script as the program, which may start further ones. */
async function run(script: string, options: { signal?: AbortSignal; maxOutputBytes?: number; mode?: number } = {}): Promise<ProcessEnd> {
  const file = join(directory, 'program');
  await writeFile(file, `#!/bin/sh\n${script}\n`, { mode: options.mode ?? 0o755 });
  const command = { file, args: ['-a', 'b c'], cwd: directory, env: { PATH: '/usr/bin:/bin', ONE: '1' }, graceMs: 200 };
  return await runProcess({ ...command, maxOutputBytes: options.maxOutputBytes ?? 1_000 }, options.signal ?? never);
}

/** Whether the process whose number a script wrote is gone; a zombie is not a running one. */
async function isGone(file: string): Promise<boolean> {
  const pid = (await readFile(join(directory, file), 'utf8')).trim();
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').then(
    (stat) => stat.slice(stat.lastIndexOf(')') + 2)[0],
    () => undefined,
  );
  return state === undefined || state === 'Z' || state === 'X';
}

async function becomesGone(file: string): Promise<boolean> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await isGone(file)) return true;
    await sleep(20);
  }
  return false;
}

/** Aborts as soon as the script has written the file. */
function abortWhenWritten(file: string, reason: Error): AbortSignal {
  const controller = new AbortController();
  const poll = async (): Promise<void> => {
    const text = await readFile(join(directory, file), 'utf8').catch(() => '');
    if (text.endsWith('\n')) controller.abort(reason);
    else setTimeout(() => void poll(), 10);
  };
  void poll();
  return controller.signal;
}

describe('runProcess', () => {
  it('gives the exit code, both outputs, and only the environment it was given', async () => {
    const end = await run('echo "$#:$2:$ONE:$HOME:$(pwd)"; echo bad >&2; exit 3');
    expect(end).toMatchObject({ kind: 'exited', code: 3, stderr: 'bad\n' });
    expect(end.kind === 'exited' && end.stdout.toString()).toBe(`2:b c:1::${directory}\n`);
  });

  it('tells a signal', async () => {
    expect(await run('echo dying >&2; kill -KILL $$')).toEqual({ kind: 'killed', signal: 'SIGKILL', stderr: 'dying\n' });
  });

  it('ends a program that writes too much', async () => {
    expect(await run('while :; do echo much; done')).toEqual({ kind: 'output-too-large' });
    expect(await run('printf 12345', { maxOutputBytes: 5 })).toMatchObject({ kind: 'exited' });
    expect(await run('printf 123456', { maxOutputBytes: 5 })).toEqual({ kind: 'output-too-large' });
  });

  it('keeps the beginning of a long standard error', async () => {
    const end = await run(
      'echo first >&2; i=0; while [ $i -lt 3000 ]; do echo "line of 50 characters, so that there is enough of it" >&2; i=$((i+1)); done',
    );
    expect(end).toMatchObject({ kind: 'exited', stderr: expect.stringMatching(/^first\n/) as string });
    expect(end.kind === 'exited' && end.stderr.length).toBe(64 * 1024);
  });

  it('on abort ends the program and all that it started, and rejects with the reason', async () => {
    const reason = new Error('time is up');
    const signal = abortWhenWritten('child', reason);
    await expect(run('sleep 100 & echo $! >child; wait', { signal })).rejects.toBe(reason);
    expect(await becomesGone('child')).toBe(true);
  });

  it('kills a program that does not heed SIGTERM', async () => {
    const reason = new Error('time is up');
    const signal = abortWhenWritten('self', reason);
    await expect(run('trap "" TERM; echo $$ >self; while :; do sleep 0.05; done', { signal })).rejects.toBe(reason);
    expect(await becomesGone('self')).toBe(true);
  });

  it('leaves nothing behind that keeps its pipes open', async () => {
    expect(await run('sleep 100 & echo $! >child; exit 0')).toMatchObject({ kind: 'exited', code: 0 });
    expect(await becomesGone('child')).toBe(true);
  });

  describe('with a descendant in a session of its own that holds the pipes', () => {
    /** Writes its number, and is out of reach of the program's process group. */
    const sleeper =
      'setsid sh -c "echo \\$\\$ >sleeper.new; mv sleeper.new sleeper; exec sleep 60" & while [ ! -e sleeper ]; do sleep 0.01; done';

    afterEach(async () => {
      // It runs still, so that it was not waited for.
      expect(await isGone('sleeper')).toBe(false);
      process.kill(Number(await readFile(join(directory, 'sleeper'), 'utf8')), 'SIGKILL');
      expect(await becomesGone('sleeper')).toBe(true);
    });

    it('gives what the program wrote when that has ended', async () => {
      const end = await run(`${sleeper}; echo out; echo err >&2; exit 3`);
      expect(end).toMatchObject({ kind: 'exited', code: 3, stderr: 'err\n' });
      expect(end.kind === 'exited' && end.stdout.toString()).toBe('out\n');
    });

    it('rejects on abort', async () => {
      const reason = new Error('time is up');
      const signal = abortWhenWritten('sleeper', reason);
      await expect(run(`${sleeper}; while :; do sleep 0.05; done`, { signal })).rejects.toBe(reason);
    });
  });

  it('starts nothing when it is aborted already', async () => {
    const reason = new Error('over');
    await expect(run('echo started >started', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(readFile(join(directory, 'started'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('tells a program that is not there, and one that cannot be executed', async () => {
    const command = { args: [], cwd: directory, env: { PATH: '/usr/bin:/bin' }, graceMs: 100, maxOutputBytes: 1 };
    await expect(runProcess({ ...command, file: join(directory, 'none') }, never)).rejects.toMatchObject({ code: 'not-found' });
    await expect(runProcess({ ...command, file: 'no-such-program-on-any-path' }, never)).rejects.toMatchObject({ code: 'not-found' });
    await expect(runProcess({ ...command, file: directory }, never)).rejects.toMatchObject({ code: 'not-executable' });
    await expect(run('true', { mode: 0o644 })).rejects.toMatchObject({ code: 'not-executable' });
  });
});
