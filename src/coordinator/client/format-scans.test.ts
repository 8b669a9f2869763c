import { describe, expect, test } from 'vitest';
import { analysisOf, NOTHING_ASKED } from '../../../test/fakes/fake-reader.ts';
import { imageId } from '../../../test/fakes/images.ts';
import { scansHeadSchema, splitScans, type ReadFailure, type ScanExchange, type ScansHead } from '../../api/coordinator/scans-call.ts';
import type { ImageAnalysis } from '../../api/scan-report.ts';
import { formatScans } from './format-scans.ts';

const [A, B, C] = [imageId(1), imageId(2), imageId(3)];
const NOTHING: ScanExchange = { ...NOTHING_ASKED, scannerVersion: null };

/** An image of these parts, by key; the recipe is the image's id. */
function analysis(id: string, parts: Readonly<Record<string, string>>): ImageAnalysis {
  return { ...analysisOf(id), parts: Object.entries(parts).map(([key, text]) => ({ key, data: Buffer.from(text) })) };
}

/** As the coordinator reads it. */
function read(body: Buffer): { readonly head: ScansHead; readonly bytes: string } {
  const split = splitScans(body);
  if (split === null) throw new Error('it is cut off');
  return { head: scansHeadSchema.parse(JSON.parse(split.head.toString())), bytes: split.rest.toString() };
}

const failureOf = (failure: ReadFailure): ReadFailure | undefined =>
  read(formatScans({ ...NOTHING, failed: [{ imageId: A, failure }] })).head.failed[0]?.failure;

describe('formatScans', () => {
  test('writes what is asked and told', () => {
    const asked = { scannerVersion: '0.74.0', wanted: [A, B], inHand: [C], mayTake: 4, mayWaitMs: 20_000 };
    const failed: ScanExchange['failed'] = [
      { imageId: A, failure: { kind: 'unscanned', reason: 'killed', message: 'Ende: größer als erlaubt' } },
      { imageId: B, failure: { kind: 'unscannable', error: 'no layer' } },
    ];
    const { head, bytes } = read(formatScans({ ...asked, analyses: [], failed }));
    expect(head).toEqual({ ...asked, analyses: [], parts: [], failed });
    expect(bytes).toBe('');
  });

  test('writes that nothing is asked, without a scanner', () => {
    expect(read(formatScans(NOTHING))).toEqual({ head: { ...NOTHING, parts: [] }, bytes: '' });
  });

  test('writes what was read of images: how they are made, then their parts', () => {
    const analyses = [analysis(A, { one: 'eins', two: 'zwei' }), analysis(B, { three: '' })];
    const { head, bytes } = read(formatScans({ ...NOTHING, scannerVersion: '0.74.0', analyses }));
    expect(head.analyses).toEqual([
      { imageId: A, parts: [0, 1], recipeBytes: A.length },
      { imageId: B, parts: [2], recipeBytes: B.length },
    ]);
    expect(head.parts).toEqual([
      { key: 'one', bytes: 4 },
      { key: 'two', bytes: 4 },
      { key: 'three', bytes: 0 },
    ]);
    expect(bytes).toBe(`${A}${B}einszwei`);
  });

  test('writes parts that several images have once', () => {
    const analyses = [
      analysis(A, { base: 'the base', a: 'of a' }),
      analysis(B, { b: 'of b', base: 'the base' }),
      analysis(C, { base: 'the base' }),
    ];
    const { head, bytes } = read(formatScans({ ...NOTHING, analyses }));
    expect(head.analyses.map(({ parts }) => parts)).toEqual([[0, 1], [2, 0], [0]]);
    expect(head.parts.map(({ key }) => key)).toEqual(['base', 'a', 'b']);
    expect(bytes).toBe(`${A}${B}${C}the baseof aof b`);
  });

  test('counts bytes, not letters', () => {
    const { head, bytes } = read(formatScans({ ...NOTHING, analyses: [analysis(A, { one: 'größer' })] }));
    expect(head.parts).toEqual([{ key: 'one', bytes: 8 }]);
    expect(bytes).toBe(`${A}größer`);
  });

  test('cuts what a program had to say at what may be told, and leaves the rest', () => {
    const long = 'ä'.repeat(10_000);
    expect(failureOf({ kind: 'unscanned', reason: 'timeout', message: long })).toEqual({
      kind: 'unscanned',
      reason: 'timeout',
      message: 'ä'.repeat(4_096),
    });
    expect(failureOf({ kind: 'unscannable', error: long })).toEqual({ kind: 'unscannable', error: 'ä'.repeat(4_096) });
    const whole: ReadFailure = { kind: 'unscannable', error: 'x'.repeat(4_096) };
    expect(failureOf(whole)).toEqual(whole);
  });

  test('cuts in the middle of a sign, too', () => {
    expect(failureOf({ kind: 'unscannable', error: `x${'🧹'.repeat(4_000)}` })?.kind).toBe('unscannable');
  });

  test('leaves what it was given as it is', () => {
    const sent = { ...NOTHING, analyses: [analysis(A, { one: 'eins' })], wanted: [B] };
    const before = structuredClone(sent);
    formatScans(sent);
    expect(structuredClone(sent)).toEqual(before);
  });
});

describe('splitScans', () => {
  const body = formatScans({ ...NOTHING, analyses: [analysis(A, { one: 'eins' })] });
  const headEnd = 4 + body.readUInt32BE(0);

  test('gives nothing of a body whose head is cut off', () => {
    for (const end of [0, 3, 4, headEnd - 1]) expect(splitScans(body.subarray(0, end))).toBeNull();
  });

  test('gives the head and whatever follows', () => {
    expect(splitScans(body.subarray(0, headEnd))?.rest).toHaveLength(0);
    expect(splitScans(body)?.rest.toString()).toBe(`${A}eins`);
  });
});
