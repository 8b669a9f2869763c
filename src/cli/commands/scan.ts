import { SEVERITIES, type Finding, type ScanResult } from '../../api/scan-report.ts';
import type { NodeImage } from '../../api/inventory.ts';
import { evaluateReport } from '../../core/verdict.ts';
import type { ScanPolicy } from '../../api/scan-policy.ts';
import { scanImages } from '../../engine/scan-images.ts';
import { takeInventory } from '../../engine/take-inventory.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { findImages } from '../find-image.ts';
import { withMemory } from '../bind-history.ts';
import { withNode } from '../bind-runtime.ts';
import { bindScanner, scanLimits } from '../bind-scanner.ts';
import { formatTable } from '../output/format-table.ts';
import { imageName, printable } from '../output/image-name.ts';
import { createProgress } from '../output/progress.ts';
import { screenOf, type Screen } from '../output/terminal.ts';
import { writeDocument } from '../output/write-document.ts';
import type { ScanOptions } from '../parsed-options.ts';
import { readTrivyServer } from '../read-trivy-server.ts';
import { readScanPolicy } from '../read-scan-policy.ts';

/** `image-cleaner scan IMAGE…`: scans images, in use or not, and shows what the policy makes of them. Fails when one has no result. */
export async function scan(context: CliContext, names: readonly string[], options: ScanOptions): Promise<ExitCode> {
  const policy = await readScanPolicy(options);
  const server = await readTrivyServer(context, options);
  const progress = createProgress(context);
  return withMemory(context, options, { progress, purpose: 'remember' }, (memory) =>
    withNode(context, options, async (node) => {
      const { images } = await takeInventory(node.runtime, context.signal);
      const chosen = [...new Set(names.flatMap((name) => findImages(images, name)))];
      const scanner = bindScanner(context, options, { node, memory, server });
      const scans = scanImages({
        scanner,
        records: memory.records,
        runtime: node.runtime,
        images: chosen,
        limits: scanLimits(context, options),
        onEvent: progress.onEvent,
        signal: context.signal,
      });
      const results = await scans.finally(() => scanner.close());
      const scanned = chosen.map((image) => describeScan(image, results.get(image.id), { policy, now: context.now() }));
      const screen = screenOf(context, context.stdout);
      await writeDocument(context.stdout, options.output, scanned, () => scanned.map((one) => formatScan(one, screen)).join('\n'));
      return scanned.every(({ result }) => result === 'scanned') ? EXIT.done : EXIT.failed;
    }),
  );
}

/** As `-o json` and `-o yaml` print it, with the names of fields that all documents share. */
interface ScannedImage {
  readonly imageId: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  readonly result: ScanResult['kind'];
  /** Why there is no verdict; null when there is one. */
  readonly message: string | null;
  readonly os: string | null;
  readonly endOfLife: boolean;
  readonly findings: readonly Finding[];
  readonly ignoredFindings: number;
}

interface Judgement {
  readonly policy: ScanPolicy;
  readonly now: number;
}

function describeScan(image: NodeImage, result: ScanResult | undefined, { policy, now }: Judgement): ScannedImage {
  const { id: imageId, repoTags, repoDigests, sizeBytes } = image;
  const names = { imageId, repoTags, repoDigests, sizeBytes };
  const none = { ...names, os: null, endOfLife: false, findings: [], ignoredFindings: 0 };
  if (result === undefined) return { ...none, result: 'unscanned', message: 'the image was not scanned' };
  if (result.kind === 'unscanned') return { ...none, result: result.kind, message: result.message };
  if (result.kind === 'unscannable') return { ...none, result: result.kind, message: result.error };
  const { os } = result.report;
  const { findings, ignoredFindings } = evaluateReport(result.report, policy, now);
  return {
    ...names,
    result: result.kind,
    message: null,
    os: os === null ? null : `${os.family} ${os.name}`,
    endOfLife: os?.endOfLife === true,
    findings,
    ignoredFindings,
  };
}

function formatScan(scanned: ScannedImage, { columns }: Screen): string {
  const { result, message, os, endOfLife, findings, ignoredFindings, imageId: id } = scanned;
  const title = `${imageName({ ...scanned, id })}\n`;
  if (result !== 'scanned') return `${title}  ${result}: ${printable(message ?? '')}\n`;
  const counts = SEVERITIES.map((severity) => ({ severity, count: findings.filter((finding) => finding.severity === severity).length }));
  const found = counts.filter(({ count }) => count > 0).map(({ severity, count }) => `${String(count)} ${severity}`);
  const summary = `  ${os ?? 'no operating system'}${endOfLife ? ', past its end of life' : ''}: ${found.join(', ') || 'nothing that the policy counts'}${ignoredFindings > 0 ? ` (${String(ignoredFindings)} left out)` : ''}\n`;
  if (findings.length === 0) return title + summary;
  const rows = findings.map(({ id, severity, packageName, installedVersion, fixedVersion }) =>
    [`  ${id}`, severity, packageName, installedVersion, fixedVersion ?? '-'].map(printable),
  );
  return title + summary + formatTable(['  VULNERABILITY', 'SEVERITY', 'PACKAGE', 'INSTALLED', 'FIXED IN'], rows, columns);
}
