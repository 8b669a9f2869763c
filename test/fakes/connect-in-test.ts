import { connectToRuntime } from '../../src/cri/connect-to-runtime.ts';
import type { CriRuntime } from '../../src/cri/cri-runtime.ts';
import type { RuntimeConnectionOptions } from '../../src/cri/runtime-connection.ts';

/** For tests: a runtime whose connection ends with the block that holds it (`using`). */
export async function connectInTest(options: RuntimeConnectionOptions, signal: AbortSignal): Promise<CriRuntime & Disposable> {
  const runtime = await connectToRuntime(options, signal);
  return Object.assign(runtime, { [Symbol.dispose]: () => runtime.close() });
}
