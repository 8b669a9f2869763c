import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { Judge } from './judge.ts';
import { parseTrivyJson } from './parse-trivy-json.ts';
import { probeFault } from './probe-fault.ts';
import type { ProcessEnd } from './run-process.ts';
import { runTrivy, runTrivyWithin } from './run-trivy.ts';
import type { ScanTap } from './scan-tap.ts';
import { clientEnvironment, scanImageArguments, scanSbomArguments } from './trivy-command.ts';
import { DEFAULT_MAX_REPORT_BYTES, DEFAULT_PROBE_TIMEOUT_MS, type TrivyOptions } from './trivy-options.ts';

export interface Client {
  readonly options: TrivyOptions;
  readonly judge: Judge;
  /** Sees what is sent to the server. */
  readonly tap: ScanTap;
}

/** Runs `trivy image` on one name. Rejects with a `ScannerFault` where the server failed, which is no fault of the image's. */
export async function runImageClient(client: Client, name: string, signal: AbortSignal): Promise<ProcessEnd> {
  const { options } = client;
  return await throughProxy(client, async (server, env) => {
    const maxOutputBytes = options.maxReportBytes ?? DEFAULT_MAX_REPORT_BYTES;
    const args = (): string[] => scanImageArguments({ cacheDir: options.cacheDir, server }, name);
    return await runTrivy(options, { args, env, maxOutputBytes }, signal);
  });
}

const MAX_SELF_TEST_BYTES = 1024 * 1024;
const sbomReportSchema = z.object({ SchemaVersion: z.literal(2) });

/** The least software bill of materials that makes Trivy ask for a verdict: an Alpine with one package. */
const SELF_TEST_SBOM = {
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  components: [
    { 'bom-ref': 'os', type: 'operating-system', name: 'alpine', version: '3.22.0' },
    { 'bom-ref': 'package', type: 'library', name: 'musl', version: '1.2.5-r10', purl: 'pkg:apk/alpine/musl@1.2.5-r10?distro=3.22.0' },
  ],
};

/** Whether Trivy works at all, without any image: it starts, takes our options, and has its server judge a package. Throws a `ScannerFault`. */
export async function selfTestClient(client: Client, signal: AbortSignal): Promise<void> {
  const { options } = client;
  const what = 'its self-test';
  const end = await throughProxy(client, async (server, env) => {
    const sbom = (workDir: string): string => join(workDir, 'self-test.cdx.json');
    const run = {
      args: (workDir: string) => scanSbomArguments({ cacheDir: options.cacheDir, server }, sbom(workDir)),
      env,
      prepare: (workDir: string) => writeFile(sbom(workDir), JSON.stringify(SELF_TEST_SBOM)),
      maxOutputBytes: MAX_SELF_TEST_BYTES,
      timeoutMs: options.probeTimeoutMs ?? DEFAULT_PROBE_TIMEOUT_MS,
      what,
    };
    return await runTrivyWithin(options, run, signal);
  });
  if (end.kind !== 'exited' || end.code !== 0) throw probeFault(end, what);
  parseTrivyJson(end.stdout, sbomReportSchema, { what: 'report' });
}

type Environment = (options: TrivyOptions, workDir: string) => Record<string, string>;

async function throughProxy({ judge, tap }: Client, run: (server: string, env: Environment) => Promise<ProcessEnd>): Promise<ProcessEnd> {
  const place = judge.proxy.open(tap);
  try {
    const end = await run(place.url, (options, workDir) => clientEnvironment(options, workDir, judge.proxy.token));
    if (tap.failure !== null) throw await judge.server.explain(tap.failure.error);
    const fault = tap.refusedBecause === null ? null : await judge.server.databaseFault(tap.refusedBecause);
    if (fault !== null) throw fault;
    return end;
  } finally {
    place.close();
  }
}
