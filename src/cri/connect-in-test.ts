import { onTestFinished } from 'vitest';
import { connectToRuntime } from './connect-to-runtime.ts';
import type { CriRuntime } from './cri-runtime.ts';
import type { RuntimeConnectionOptions } from './runtime-connection.ts';

/** Connects for as long as the test runs. */
export async function connectInTest(options: RuntimeConnectionOptions, signal: AbortSignal): Promise<CriRuntime> {
  const runtime = await connectToRuntime(options, signal);
  onTestFinished(() => runtime.close());
  return runtime;
}
