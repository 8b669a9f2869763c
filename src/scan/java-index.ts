import { errorMessage } from '../platform/errors.ts';
import { downloadJavaIndex } from './probe-trivy.ts';
import { ScannerFault } from './scanner-fault.ts';
import type { TrivyOptions } from './trivy-options.ts';

/** `problem`: why Java archives cannot be looked up. */
export type JavaIndexState = { readonly kind: 'loaded' } | { readonly kind: 'missing'; readonly problem: string };

/**
 * Trivy's index of Java archives, loaded when the first image asks for it, and once: processes that load it at the same time would write
 * over each other. A failure is remembered and is no fault of the scanner, since only images with Java archives go without a verdict;
 * mirrors often have the vulnerability database alone.
 */
export class JavaIndex {
  readonly #options: TrivyOptions;
  #state: JavaIndexState | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: TrivyOptions) {
    this.#options = options;
  }

  async load(signal: AbortSignal): Promise<JavaIndexState> {
    const turn = this.#queue.then(async () => (this.#state ??= await this.#download(signal)));
    // An abort of one image's scan is not the next one's: that tries again.
    this.#queue = turn.catch(() => undefined);
    return await turn;
  }

  async #download(signal: AbortSignal): Promise<JavaIndexState> {
    signal.throwIfAborted();
    const { database, cacheDir } = this.#options;
    const source = database.kind === 'server' || database.kind === 'elsewhere' ? database.javaIndex : database;
    if (source?.kind !== 'download') return { kind: 'missing', problem: `there is no Java index in ${cacheDir}` };
    try {
      await downloadJavaIndex(this.#options, source.javaRepositories, signal);
      return { kind: 'loaded' };
    } catch (error) {
      if (!(error instanceof ScannerFault)) throw error;
      return { kind: 'missing', problem: errorMessage(error) };
    }
  }
}
