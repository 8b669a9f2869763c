import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { ScannerInfo } from '../api/scan-report.ts';
import { checkTrivyDatabase } from './check-trivy-database.ts';
import { classifyTrivyFailure, fatalMessageOf } from './classify-trivy-failure.ts';
import { parseTrivyJson } from './parse-trivy-report.ts';
import type { ProcessEnd } from './run-process.ts';
import { runTrivyWithin } from './run-trivy.ts';
import { scannerFault, type ScannerFault } from './scanner-fault.ts';
import {
  downloadDatabaseArguments,
  downloadEnvironment,
  downloadJavaDatabaseArguments,
  scanEnvironment,
  scanSbomArguments,
  versionArguments,
} from './trivy-command.ts';
import { DEFAULT_DOWNLOAD_TIMEOUT_MS, DEFAULT_PROBE_TIMEOUT_MS, type DatabaseSource, type TrivyOptions } from './trivy-options.ts';

const MAX_PROBE_OUTPUT_BYTES = 1024 * 1024;

const versionSchema = z.object({ Version: z.string().min(1) });
const sbomReportSchema = z.object({ SchemaVersion: z.literal(2) });

/** The least software bill of materials that makes Trivy look into the database: an Alpine with one package. */
const SELF_TEST_SBOM = {
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  components: [
    { 'bom-ref': 'os', type: 'operating-system', name: 'alpine', version: '3.22.0' },
    { 'bom-ref': 'package', type: 'library', name: 'musl', version: '1.2.5-r10', purl: 'pkg:apk/alpine/musl@1.2.5-r10?distro=3.22.0' },
  ],
};

/** Whether Trivy works at all: the binary, the database (downloaded first where that is allowed), and both together. Throws a `ScannerFault`. */
export async function probeTrivy(options: TrivyOptions, signal: AbortSignal): Promise<ScannerInfo> {
  const version = await readVersion(options, signal);
  if (options.database.kind === 'download') await downloadDatabase(options, options.database, signal);
  const databaseUpdatedAt = await checkTrivyDatabase(options.cacheDir);
  await selfTestTrivy(options, signal);
  return { name: 'trivy', version, databaseUpdatedAt };
}

async function readVersion(options: TrivyOptions, signal: AbortSignal): Promise<string> {
  const run = { args: () => versionArguments(options.cacheDir), env: scanEnvironment, maxOutputBytes: MAX_PROBE_OUTPUT_BYTES };
  const timeoutMs = options.probeTimeoutMs ?? DEFAULT_PROBE_TIMEOUT_MS;
  const end = await runTrivyWithin(options, { ...run, timeoutMs, what: 'telling its version' }, signal);
  if (end.kind !== 'exited' || end.code !== 0) throw probeFault(end, 'telling its version');
  return parseTrivyJson(end.stdout, versionSchema, 'version').Version;
}

/** Scans a tiny bill of materials: Trivy starts, takes our options, opens the database and looks a package up in it. */
export async function selfTestTrivy(options: TrivyOptions, signal: AbortSignal): Promise<void> {
  const sbom = (workDir: string): string => join(workDir, 'self-test.cdx.json');
  const what = 'its self-test';
  const run = {
    args: (workDir: string) => scanSbomArguments(options.cacheDir, sbom(workDir)),
    env: scanEnvironment,
    prepare: (workDir: string) => writeFile(sbom(workDir), JSON.stringify(SELF_TEST_SBOM)),
    maxOutputBytes: MAX_PROBE_OUTPUT_BYTES,
    timeoutMs: options.probeTimeoutMs ?? DEFAULT_PROBE_TIMEOUT_MS,
    what,
  };
  const end = await runTrivyWithin(options, run, signal);
  if (end.kind !== 'exited' || end.code !== 0) throw probeFault(end, what);
  parseTrivyJson(end.stdout, sbomReportSchema, 'report');
}

type Download = DatabaseSource & { readonly kind: 'download' };

async function downloadDatabase(options: TrivyOptions, source: Download, signal: AbortSignal): Promise<void> {
  await download(
    options,
    { args: downloadDatabaseArguments(options.cacheDir, source), what: 'the download of the vulnerability database' },
    signal,
  );
}

/** The index of Java archives, which only images with such archives need. */
export async function downloadJavaIndex(options: TrivyOptions, source: Download, signal: AbortSignal): Promise<void> {
  await download(
    options,
    { args: downloadJavaDatabaseArguments(options.cacheDir, source), what: 'the download of the Java index' },
    signal,
  );
}

async function download(options: TrivyOptions, { args, what }: { args: string[]; what: string }, signal: AbortSignal): Promise<void> {
  const timeoutMs = options.downloadTimeoutMs ?? DEFAULT_DOWNLOAD_TIMEOUT_MS;
  const run = { args: () => args, env: downloadEnvironment, maxOutputBytes: MAX_PROBE_OUTPUT_BYTES, timeoutMs, what };
  const end = await runTrivyWithin(options, run, signal);
  if (end.kind === 'exited' && end.code === 0) return;
  if (end.kind !== 'exited') throw probeFault(end, what);
  throw scannerFault('download-failed', `Trivy failed in ${what}: ${fatalMessageOf(end.stderr)}`);
}

function probeFault(end: ProcessEnd, what: string): ScannerFault {
  switch (end.kind) {
    case 'output-too-large':
      return scannerFault('bad-output', `Trivy printed more than ${MAX_PROBE_OUTPUT_BYTES} bytes in ${what}.`);
    case 'killed':
      return scannerFault('crashed', `Trivy was ended by ${end.signal} in ${what}.`);
    case 'exited': {
      const failure = classifyTrivyFailure(end.stderr);
      if (failure.kind === 'fault') return scannerFault(failure.code, `Trivy failed in ${what}: ${failure.message}`);
      if (failure.kind === 'unscanned' && failure.reason === 'disk-full')
        return scannerFault('no-work-directory', `Trivy failed in ${what}: ${failure.message}`);
      return scannerFault('crashed', `Trivy exited with code ${end.code} in ${what}: ${fatalMessageOf(end.stderr)}`);
    }
  }
}
