import type { EraserConfig } from '../api/eraser-config.ts';

export interface AutomaticCleaning {
  /** The file. */
  readonly config?: string;
  readonly eraserConfig?: EraserConfig;
  /** Of `--image`: a run that has some is a manual one. */
  readonly image?: readonly string[];
}

/** Why no run chooses images by itself, by the configuration; null: nothing in it is against one. */
export function whyNotAutomatic({ config, eraserConfig, image = [] }: AutomaticCleaning): string | null {
  if (image.length > 0 || eraserConfig === undefined || eraserConfig.components.collector.enabled) return null;
  return `--config ${config ?? ''}: components.collector.enabled: not true, which switches automatic cleaning off.`;
}
