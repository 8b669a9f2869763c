import type { NodeImage, NodeInventory } from '../api/inventory.ts';
import type { ScannerInfo, ScanResult } from '../api/scan-report.ts';
import type { Removal } from './removal.ts';

/** What happens during a run, as it happens; for progress, not for the record. */
export type EngineEvent =
  | { readonly kind: 'inventory-taken'; readonly inventory: NodeInventory }
  /** Verdicts without a scan: `reused` of the same database, `evaluated` by another one from what was read before. */
  | { readonly kind: 'verdicts-known'; readonly scanner: ScannerInfo; readonly reused: number; readonly evaluated: number }
  | { readonly kind: 'scan-started'; readonly scanner: ScannerInfo; readonly images: number; readonly concurrency: number }
  | {
      readonly kind: 'image-scanned';
      readonly image: NodeImage;
      readonly result: ScanResult;
      readonly done: number;
      readonly total: number;
    }
  | { readonly kind: 'removal-started'; readonly images: number }
  | { readonly kind: 'image-removed'; readonly removal: Removal; readonly done: number; readonly total: number };

export type OnEvent = (event: EngineEvent) => void;
