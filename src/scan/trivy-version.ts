import { access, constants, realpath, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import * as z from 'zod';
import { parseTrivyJson } from './parse-trivy-json.ts';
import { probeFault } from './probe-fault.ts';
import { runTrivyWithin } from './run-trivy.ts';
import { scannerFault } from './scanner-fault.ts';
import { scanEnvironment, versionArguments } from './trivy-command.ts';
import { DEFAULT_PROBE_TIMEOUT_MS, type TrivyOptions } from './trivy-options.ts';

const MAX_VERSION_BYTES = 1024 * 1024;
const versionSchema = z.object({ Version: z.string().min(1) });

/** The version of the binary; it is started only where its version is not remembered. Throws a `ScannerFault`. */
export async function readTrivyVersion(options: TrivyOptions, signal: AbortSignal): Promise<string> {
  const identity = options.versionMemory === undefined ? null : await binaryIdentity(options);
  const remembered = identity === null ? null : await options.versionMemory?.read(identity);
  if (remembered !== null && remembered !== undefined) return remembered;
  const version = await askVersion(options, signal);
  // One that was replaced while it was asked is asked again.
  if (identity !== null && identity === (await binaryIdentity(options))) await options.versionMemory?.write(identity, version);
  return version;
}

/**
 * Throws a `ScannerFault` where Trivy turns out to be of another version than it was found or remembered to be: what was identified may only
 * start the real one. That is then remembered. `where`: for the message.
 */
export async function checkSameVersion(options: TrivyOptions, found: string, actual: { version: string; where: string }): Promise<void> {
  const { version, where } = actual;
  if (version === found) return;
  const identity = options.versionMemory === undefined ? null : await binaryIdentity(options);
  if (identity !== null) await options.versionMemory?.write(identity, version);
  throw scannerFault('version-changed', `Trivy was version ${found} before ${where} and is version ${version} in it.`);
}

async function askVersion(options: TrivyOptions, signal: AbortSignal): Promise<string> {
  const run = { args: () => versionArguments(options.cacheDir), env: scanEnvironment, maxOutputBytes: MAX_VERSION_BYTES };
  const timeoutMs = options.probeTimeoutMs ?? DEFAULT_PROBE_TIMEOUT_MS;
  const what = 'telling its version';
  const end = await runTrivyWithin(options, { ...run, timeoutMs, what }, signal);
  if (end.kind !== 'exited' || end.code !== 0) throw probeFault(end, what);
  return parseTrivyJson(end.stdout, versionSchema, { what: 'version' }).Version;
}

/** Path, filesystem, inode, size and time of change of the binary; null where it cannot be found. */
async function binaryIdentity({ binary, env }: TrivyOptions): Promise<string | null> {
  const candidates = binary.includes('/') ? [binary] : (env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, binary));
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      const path = await realpath(candidate);
      const file = await stat(path, { bigint: true });
      if (file.isFile()) return [path, file.dev, file.ino, file.size, file.mtimeNs].join(':');
    } catch {
      // Not this one.
    }
  }
  return null;
}
