import { constants } from 'node:fs';
import { open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeImage } from '../api/inventory.ts';
import { errorMessage } from '../platform/errors.ts';
import type { Timing } from '../platform/timing.ts';
import { COMPLETE, formatImages, parseImages, refused, type HandedImage } from './hand-over-message.ts';
import type { MakeFifo } from './make-fifo.ts';
import { readFifo } from './read-fifo.ts';
import { writeFifo } from './write-fifo.ts';

/** The pipes, by the names that Eraser's scanners know. */
export const PIPES = {
  /** Collector to scanner: the images to look at. */
  collectScan: 'collectScan',
  /** Scanner, or collector where there is none, to remover: the images to remove. */
  scanErase: 'scanErase',
  /** Remover to collector: it is done. */
  eraseCompleteCollect: 'eraseCompleteCollect',
  /** Remover to scanner: it is done. The scanner makes it. */
  eraseCompleteScan: 'eraseCompleteScan',
} as const;

/** Beside the pipes: what the collector has offered. Eraser's scanners look at nothing but the pipes. */
const OFFERED = 'offered.json';

/** The images of a node many times over; room for a scanner that tells of each what it found. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Who reads what the collector offers. */
export type OfferReader = 'scanner' | 'scanner-of-another' | 'remover';

/**
 * Ours look for a pipe that is not there ten times a second, and a writer for its reader. A pipe that is there early, they have opened when there is
 * something to say. Other scanners see the pipes come in the order in which Eraser's programs make them.
 */
const OFFERED_ON: Readonly<Record<OfferReader, readonly string[]>> = {
  scanner: [PIPES.collectScan],
  'scanner-of-another': [],
  remover: [PIPES.scanErase],
};

export interface HandOver {
  /** Collector: makes the pipe on which it will learn that all is done, and, where its reader is one of ours, that on which it will offer. */
  open(reader: OfferReader, signal: AbortSignal): Promise<void>;
  /** Collector: the images that a scanner may look at; resolves when it has read them. */
  offer(images: readonly NodeImage[], signal: AbortSignal): Promise<void>;
  /** Collector, with the scanner off: the images to remove; resolves when the remover has read them. */
  offerToRemove(images: readonly NodeImage[], signal: AbortSignal): Promise<void>;
  /** Collector: resolves when the remover is done. */
  awaitCollectorRelease(signal: AbortSignal): Promise<void>;
  /** Our scanner: makes the pipe on which it will learn that all is done, and that on which it will tell what it found. */
  openScanner(signal: AbortSignal): Promise<void>;
  readOffer(signal: AbortSignal): Promise<HandedImage[]>;
  /** Our scanner: resolves when the remover has read it. */
  writeScan(text: string, signal: AbortSignal): Promise<void>;
  awaitScannerRelease(signal: AbortSignal): Promise<void>;
  /** Remover: what scanner or collector want removed, as it was written. */
  readScan(signal: AbortSignal): Promise<string>;
  /** Remover: what the collector has offered. Of use after `readScan`. */
  readOffered(): Promise<HandedImage[]>;
  releaseCollector(signal: AbortSignal): Promise<void>;
  releaseScanner(signal: AbortSignal): Promise<void>;
}

export interface HandOverOptions {
  readonly folder: string;
  readonly makeFifo: MakeFifo;
  readonly timing: Pick<Timing, 'sleep'>;
}

/** The hand-over between the containers of a worker pod, over named pipes in the folder that they share. */
export function createHandOver({ folder, makeFifo, timing }: HandOverOptions): HandOver {
  const at = (name: string): string => join(folder, name);
  const make = (names: readonly string[], signal: AbortSignal): Promise<void> => makeFifo(names.map(at), signal);
  const read = (name: string, signal: AbortSignal): Promise<string> => readFifo(at(name), { timing, signal, mostBytes: MOST_BYTES });
  const write = (name: string, text: string, signal: AbortSignal): Promise<void> => writeFifo(at(name), text, { timing, signal });
  const makeAndWrite = async (name: string, text: string, signal: AbortSignal): Promise<void> => {
    await make([name], signal);
    await write(name, text, signal);
  };
  const remember = async (text: string): Promise<void> => {
    await writeFile(at(`${OFFERED}.new`), text);
    await rename(at(`${OFFERED}.new`), at(OFFERED));
  };
  const awaitRelease = async (name: string, signal: AbortSignal): Promise<void> => {
    const text = await read(name, signal);
    if (text !== COMPLETE) throw refused(name, `"${COMPLETE}" was to come, and ${JSON.stringify(text.slice(0, 60))} came`);
  };
  return {
    open: (reader, signal) => make([PIPES.eraseCompleteCollect, ...OFFERED_ON[reader]], signal),
    offer: async (images, signal) => {
      const text = formatImages(images);
      await remember(text);
      await makeAndWrite(PIPES.collectScan, text, signal);
    },
    offerToRemove: async (images, signal) => {
      const text = formatImages(images);
      await remember(text);
      await makeAndWrite(PIPES.scanErase, text, signal);
    },
    awaitCollectorRelease: (signal) => awaitRelease(PIPES.eraseCompleteCollect, signal),
    openScanner: (signal) => make([PIPES.eraseCompleteScan, PIPES.scanErase], signal),
    readOffer: async (signal) => parseImages(await read(PIPES.collectScan, signal), PIPES.collectScan),
    writeScan: (text, signal) => makeAndWrite(PIPES.scanErase, text, signal),
    awaitScannerRelease: (signal) => awaitRelease(PIPES.eraseCompleteScan, signal),
    readScan: (signal) => read(PIPES.scanErase, signal),
    readOffered: async () => parseImages(await readFileOnly(at(OFFERED)), OFFERED),
    releaseCollector: (signal) => write(PIPES.eraseCompleteCollect, COMPLETE, signal),
    releaseScanner: (signal) => write(PIPES.eraseCompleteScan, COMPLETE, signal),
  };
}

/** What lies there may be anything: a scanner of the user's writes to the folder too, and what a link leads to may be no business of its. */
async function readFileOnly(path: string): Promise<string> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile() || found.size > MOST_BYTES) throw new Error('it is no file of a list');
    return await file.readFile('utf8');
  } catch (cause) {
    throw refused(OFFERED, errorMessage(cause), cause);
  }
}
