import type { ScanReport } from '../../api/scan-report.ts';

const HEAD = '{"reports":[';
const TAIL = ']}';

/** The reports as JSON documents of at most so many bytes each. One that is larger alone is left out: its image is scanned again. */
export function fitReports(reports: readonly ScanReport[], mostBytes: number): Buffer[] {
  const bodies: Buffer[] = [];
  let [texts, size]: [string[], number] = [[], 0];
  const end = (): void => {
    if (texts.length > 0) bodies.push(Buffer.from(`${HEAD}${texts.join(',')}${TAIL}`));
    [texts, size] = [[], 0];
  };
  for (const report of reports) {
    const text = JSON.stringify(report);
    const bytes = Buffer.byteLength(text) + 1;
    const room = mostBytes - HEAD.length - TAIL.length;
    if (bytes > room) continue;
    if (size + bytes > room) end();
    texts.push(text);
    size += bytes;
  }
  end();
  return bodies;
}
