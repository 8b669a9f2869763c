import type { MeasuredPart } from '../measured-part.ts';

/** Does the work that is measured, and prints what it took, apart from what came before. */
export async function tellUsage(work: () => Promise<void> | void): Promise<void> {
  const started = performance.now();
  const cpuBefore = process.cpuUsage();
  const threadBefore = process.threadCpuUsage();
  await work();
  const wallMs = performance.now() - started;
  const cpu = process.cpuUsage(cpuBefore);
  const thread = process.threadCpuUsage(threadBefore);
  const part: MeasuredPart = { wallMs, cpuMs: (cpu.user + cpu.system) / 1_000, threadCpuMs: (thread.user + thread.system) / 1_000 };
  process.stdout.write(JSON.stringify(part));
}
