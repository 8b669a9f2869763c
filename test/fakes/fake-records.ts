import type { NodeImage } from '../../src/api/inventory.ts';
import type { ImageAnalysis, ScannerInfo, ScanReport } from '../../src/api/scan-report.ts';
import type { ImageMemory, ScanRecords } from '../../src/engine/ports.ts';

/** Scans remembered in memory, as the history does it: reports by scanner, version and database, analyses by scanner and version. */
export class FakeScanRecords implements ScanRecords {
  readonly #reports = new Map<string, ScanReport>();
  readonly #analyses = new Map<string, ImageAnalysis>();

  readReports(imageIds: readonly string[], scanner: ScannerInfo): Promise<ReadonlyMap<string, ScanReport>> {
    const known = imageIds.map((id) => [id, this.#reports.get(JSON.stringify([id, scanner]))] as const);
    return Promise.resolve(new Map(known.filter((entry): entry is readonly [string, ScanReport] => entry[1] !== undefined)));
  }

  readAnalyses(imageIds: readonly string[], { name, version }: ScannerInfo): Promise<ReadonlyMap<string, ImageAnalysis>> {
    const known = imageIds.map((id) => [id, this.#analyses.get(JSON.stringify([id, name, version]))] as const);
    return Promise.resolve(new Map(known.filter((entry): entry is readonly [string, ImageAnalysis] => entry[1] !== undefined)));
  }

  keep(report: ScanReport, analysis: ImageAnalysis | null): Promise<void> {
    this.#reports.set(JSON.stringify([report.imageId, report.scanner]), report);
    if (analysis === null) return Promise.resolve();
    this.#analyses.set(JSON.stringify([analysis.imageId, analysis.scannerName, analysis.scannerVersion]), analysis);
    return Promise.resolve();
  }

  async keepReports(reports: readonly ScanReport[]): Promise<void> {
    for (const report of reports) await this.keep(report, null);
  }
}

/** Remembers what it was shown; gives each image the same history. */
export class FakeImageMemory implements ImageMemory {
  readonly seen: { readonly images: readonly string[]; readonly inUse: readonly string[] }[] = [];
  readonly #firstSeenAt: number;

  constructor(firstSeenAt: number) {
    this.#firstSeenAt = firstSeenAt;
  }

  observe({ images, inUse }: { images: readonly NodeImage[]; inUse: ReadonlySet<string> }): ReturnType<ImageMemory['observe']> {
    this.seen.push({ images: images.map(({ id }) => id), inUse: [...inUse] });
    return Promise.resolve(new Map(images.map(({ id }) => [id, { firstSeenAt: this.#firstSeenAt, lastInUseAt: null }])));
  }
}
