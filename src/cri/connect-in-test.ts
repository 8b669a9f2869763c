import { connectToRuntime } from './connect-to-runtime.ts';
import type { CriRuntime } from './cri-runtime.ts';
import type { RuntimeConnectionOptions } from './runtime-connection.ts';

/** For tests: a runtime whose connection ends with the block that holds it (`using`). */
export async function connectInTest(options: RuntimeConnectionOptions, signal: AbortSignal): Promise<CriRuntime & Disposable> {
  const runtime = await connectToRuntime(options, signal);
  return Object.assign(runtime, { [Symbol.dispose]: () => runtime.close() });
}
