import type { ScannerInfo } from '../api/scan-report.ts';
import { untilAborted } from '../platform/until-aborted.ts';
import { createAbsentServer } from './absent-server.ts';
import { createJudge, type Judge } from './judge.ts';
import type { JudgingServer } from './judging-server.ts';
import { startOwnServer } from './own-server.ts';
import { probeTrivy, type TrivyProbe } from './probe-trivy.ts';
import { ScannerFault } from './scanner-fault.ts';
import { sweepWorkDirectories } from './sweep-work-directories.ts';
import type { TrivyOptions } from './trivy-options.ts';
import { createUserServer } from './user-server.ts';
import { checkWorkPlace } from './work-directory.ts';

/** Keeps one judge for all scans. It is what the probe found, with a server that is started when it is first needed. */
export class JudgeKeeper {
  readonly #options: TrivyOptions;
  #isSwept = false;
  #found: TrivyProbe | null = null;
  #judge: Promise<Judge> | null = null;
  /** Ends the start of a server that nobody waits for any more. */
  #closing = new AbortController();

  constructor(options: TrivyOptions) {
    this.#options = options;
  }

  async probe(signal: AbortSignal): Promise<ScannerInfo> {
    await this.#sweep();
    const found = await probeTrivy(this.#options, signal);
    // A judge of before may have another database.
    await this.close();
    this.#found = found;
    return found.info;
  }

  /** Has something done by the judge. Rejects with a `ScannerFault`, after which the next one gets a new judge. */
  async use<Result>(signal: AbortSignal, act: (judge: Judge) => Promise<Result>): Promise<Result> {
    if (this.#judge !== null && !(await untilAborted(this.#judge, signal)).server.isAlive()) await this.#drop(this.#judge);
    const started = (this.#judge ??= this.#start());
    const judge = await untilAborted(started, signal);
    try {
      return await act(judge);
    } catch (error) {
      const explained = await judge.server.explain(error);
      if (explained instanceof ScannerFault) {
        await this.#drop(started);
        this.#forget(explained);
      }
      throw explained;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the scanner is closed'));
    this.#closing = new AbortController();
    if (this.#judge !== null) await this.#drop(this.#judge);
    if (this.#found?.kind === 'server') this.#found.client.close();
  }

  #start(): Promise<Judge> {
    const started = this.#createJudge(this.#closing.signal);
    // What could not be started is tried again, by whoever asks next.
    started.catch((error: unknown) => {
      if (this.#judge === started) this.#judge = null;
      this.#forget(error);
    });
    return started;
  }

  /** Otherwise a new judge must judge by the same database as the old one, or not at all. */
  #forget(error: unknown): void {
    if (!(error instanceof ScannerFault)) return;
    if (error.code === 'database-changed' || error.code === 'version-changed') this.#found = null;
  }

  async #createJudge(signal: AbortSignal): Promise<Judge> {
    await this.#sweep();
    await checkWorkPlace(this.#options.tmpDir);
    const found = (this.#found ??= await probeTrivy(this.#options, signal));
    return await createJudge(this.#options, found.info, await this.#serverFor(found, signal));
  }

  async #serverFor(found: TrivyProbe, signal: AbortSignal): Promise<JudgingServer> {
    switch (found.kind) {
      case 'own':
        return await startOwnServer(this.#options, found, signal);
      case 'server':
        return createUserServer(found.client, found.database);
      case 'elsewhere':
        return createAbsentServer();
    }
  }

  async #drop(dropped: Promise<Judge>): Promise<void> {
    if (this.#judge === dropped) this.#judge = null;
    const judge = await dropped.catch(() => null);
    await judge?.close();
  }

  async #sweep(): Promise<void> {
    if (this.#isSwept) return;
    this.#isSwept = true;
    await sweepWorkDirectories(this.#options.tmpDir);
  }
}
