import type { ScannerInfo } from '../api/scan-report.ts';
import { decodePart } from './analysis-form.ts';
import type { JudgingServer } from './judging-server.ts';
import { PartMemory } from './part-memory.ts';
import { ScanProxy } from './scan-proxy.ts';
import { ServerBlobs } from './server-blobs.ts';
import { DEFAULT_MAX_REPORT_BYTES, type TrivyOptions } from './trivy-options.ts';

/** What images are judged with in one run: a server with one database, and what this run knows of layers. */
export interface Judge {
  readonly scanner: ScannerInfo;
  readonly server: JudgingServer;
  readonly proxy: ScanProxy;
  readonly blobs: ServerBlobs;
  readonly parts: PartMemory;
  /** The request that stores a part at a server, from this run or an earlier one; null: unknown. */
  knownPart(key: string): Promise<Uint8Array | null>;
  close(): Promise<void>;
}

/** A layer of five hundred packages comes to some hundred kilobytes. */
const PART_MEMORY_BYTES = 32 * 1024 * 1024;
/** What the server makes of it in its memory is larger. */
const SERVER_BLOB_BYTES = 24 * 1024 * 1024;

/** Closes the server where no judge comes of it. */
export async function createJudge(options: TrivyOptions, scanner: ScannerInfo, server: JudgingServer): Promise<Judge> {
  const proxy = await ScanProxy.start(options.maxReportBytes ?? DEFAULT_MAX_REPORT_BYTES).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  const parts = new PartMemory(PART_MEMORY_BYTES);
  return {
    scanner,
    server,
    proxy,
    blobs: new ServerBlobs(server, SERVER_BLOB_BYTES),
    parts,
    async knownPart(key) {
      const known = parts.get(key);
      if (known !== null) return known;
      const data = (await options.readPart?.(key, scanner)) ?? null;
      return data === null ? null : decodePart({ key, data });
    },
    async close() {
      proxy.close();
      await server.close();
    },
  };
}
